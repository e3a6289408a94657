-- Named groups of jobs. A batch's jobs are those of its owner whose jobs.batch is its id. How many of them are in each
-- state is kept with each commit, like the counts of types: exact after a crash, and read with the row.

CREATE TABLE batches (
  number     INTEGER PRIMARY KEY,            -- grows with each batch
  id         TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  owner      TEXT,
  created_at INTEGER NOT NULL,
  jobs       INTEGER NOT NULL DEFAULT 0,     -- the sum of the following
  queued     INTEGER NOT NULL DEFAULT 0,
  running    INTEGER NOT NULL DEFAULT 0,
  waiting    INTEGER NOT NULL DEFAULT 0,
  suspended  INTEGER NOT NULL DEFAULT 0,
  succeeded  INTEGER NOT NULL DEFAULT 0,
  failed     INTEGER NOT NULL DEFAULT 0,
  canceled   INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX batches_by_owner ON batches (owner, number) WHERE owner IS NOT NULL;
-- Those that retention may forget, and no others.
CREATE INDEX batches_empty ON batches (created_at, number) WHERE jobs = 0;

-- The batch a promise was given for; NULL: for jobs alone.
ALTER TABLE idempotency ADD COLUMN batch TEXT;
