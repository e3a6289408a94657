-- Jobs to be removed with all below them as soon as the last of those has ended.
CREATE TABLE removals (
  job INTEGER PRIMARY KEY
);
