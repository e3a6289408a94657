-- Jobs that did not succeed while more than a step of jobs below them had not ended: those are being canceled.
CREATE TABLE deserted (
  job INTEGER PRIMARY KEY
);
