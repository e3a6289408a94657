-- Named groups of jobs. A batch's jobs are those of its owner whose jobs.batch is its id; how they stand is counted from
-- one index when somebody asks, so that the moves of jobs cost what they did.

CREATE TABLE batches (
  number     INTEGER PRIMARY KEY,            -- grows with each batch
  id         TEXT NOT NULL UNIQUE,
  name       TEXT NOT NULL,
  owner      TEXT,
  created_at INTEGER NOT NULL
);
CREATE INDEX batches_by_owner ON batches (owner, number) WHERE owner IS NOT NULL;
CREATE INDEX batches_by_age ON batches (created_at, number);

CREATE INDEX jobs_batch_states ON jobs (batch, owner, state) WHERE batch IS NOT NULL;
