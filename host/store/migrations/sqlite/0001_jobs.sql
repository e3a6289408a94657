-- Jobs, their events and what hangs on them. Times are microseconds since the epoch, states and holds the numbers of
-- core/job_state.hpp, event kinds those of core/event.hpp. Empty texts are stored as NULL, so that partial indexes
-- leave them out. Why it looks like this: docs/decisions/0010-sqlite-store.md.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE types (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

CREATE TABLE jobs (
  id            INTEGER PRIMARY KEY,
  type_id       INTEGER NOT NULL,
  state         INTEGER NOT NULL,
  hold          INTEGER NOT NULL,
  priority      INTEGER NOT NULL,
  run_at        INTEGER NOT NULL,
  attempt       INTEGER NOT NULL DEFAULT 0,
  retries       INTEGER NOT NULL DEFAULT 0,
  max_attempts  INTEGER NOT NULL DEFAULT 1,
  rescues       INTEGER NOT NULL DEFAULT 0,  -- attempts lost with their host or lease since the last retry command
  ask           INTEGER NOT NULL DEFAULT 0,  -- of a running job: 1 cancel, 2 suspend
  resumed       INTEGER NOT NULL DEFAULT 0,  -- 1: the next claim continues the attempt; 2: the running claim does
  own_done      INTEGER NOT NULL DEFAULT 0,  -- waiting: 1 its own step succeeded, 0 it wants to run again
  lease         INTEGER NOT NULL DEFAULT 0,
  lease_until   INTEGER NOT NULL DEFAULT 0,
  event_seq     INTEGER NOT NULL DEFAULT 0,  -- its newest event; events.prev leads to the older ones
  deps_pending  INTEGER NOT NULL DEFAULT 0,
  docs          INTEGER NOT NULL DEFAULT 0,  -- which side rows exist (bits, sql_rows.hpp)
  child_total   INTEGER NOT NULL DEFAULT 0,
  child_done    INTEGER NOT NULL DEFAULT 0,
  child_failed  INTEGER NOT NULL DEFAULT 0,
  desc_total    INTEGER NOT NULL DEFAULT 0,
  desc_done     INTEGER NOT NULL DEFAULT 0,
  desc_failed   INTEGER NOT NULL DEFAULT 0,
  child_failure INTEGER NOT NULL DEFAULT 0,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  started_at    INTEGER,
  finished_at   INTEGER,
  parent        INTEGER,
  root          INTEGER NOT NULL,
  depth         INTEGER NOT NULL DEFAULT 0,
  timeout_ms    INTEGER NOT NULL DEFAULT 0,
  queue_key     TEXT,
  owner         TEXT,
  batch         TEXT,
  unique_key    TEXT,
  dedupe_key    TEXT,
  input_id      TEXT,
  backoff       TEXT,                        -- NULL: the default
  webhook       TEXT,
  tags          TEXT,                        -- a JSON array; job_tags is its index
  params        TEXT,                        -- NULL: in job_docs
  progress      TEXT,
  error         TEXT,
  usage         TEXT,
  exit_code     INTEGER,
  exit_signal   INTEGER,
  result        TEXT                         -- NULL: none, or in job_docs
);

-- What may run now, in the order of dispatch.
CREATE INDEX jobs_ready ON jobs (type_id, priority DESC, run_at, id) WHERE state = 0 AND hold = 0;
CREATE INDEX jobs_delayed ON jobs (run_at, id) WHERE state = 0 AND hold = 1;
-- The queued jobs of one key, those let through (hold 0) and those behind them (hold 2), in the order of dispatch.
CREATE INDEX jobs_keyed ON jobs (queue_key, hold, priority DESC, run_at, id) WHERE state = 0 AND queue_key IS NOT NULL;
CREATE UNIQUE INDEX jobs_unique ON jobs (type_id, unique_key) WHERE unique_key IS NOT NULL AND state < 4;
CREATE UNIQUE INDEX jobs_dedupe ON jobs (parent, dedupe_key) WHERE dedupe_key IS NOT NULL;

-- Lists: newest first by id.
CREATE INDEX jobs_by_state ON jobs (state, type_id, id);
CREATE INDEX jobs_by_parent ON jobs (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX jobs_by_owner ON jobs (owner, id) WHERE owner IS NOT NULL;
CREATE INDEX jobs_by_batch ON jobs (batch, id) WHERE batch IS NOT NULL;
CREATE INDEX jobs_by_input ON jobs (input_id, id) WHERE input_id IS NOT NULL;
CREATE INDEX jobs_by_key ON jobs (queue_key, id) WHERE queue_key IS NOT NULL;

-- For each full block of 1024 ids from `first` on, when its jobs were made: leads from times to ids (the wall clock may
-- be set back, so ids alone do not tell). The newest block is in no row.
CREATE TABLE created_marks (
  first    INTEGER PRIMARY KEY,
  earliest INTEGER NOT NULL,
  latest   INTEGER NOT NULL
);

-- Documents too big or too rarely read for the row (kind: sql_rows.hpp).
CREATE TABLE job_docs (
  job  INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (job, kind)
) WITHOUT ROWID;

CREATE TABLE job_tags (
  tag TEXT NOT NULL,
  job INTEGER NOT NULL,
  PRIMARY KEY (tag, job)
) WITHOUT ROWID;

CREATE TABLE job_deps (
  job  INTEGER NOT NULL,
  dep  INTEGER NOT NULL,
  done INTEGER NOT NULL DEFAULT 0,           -- 1: dep has succeeded
  PRIMARY KEY (job, dep)
) WITHOUT ROWID;
CREATE INDEX job_deps_pending ON job_deps (dep, job) WHERE done = 0;

CREATE TABLE events (
  seq     INTEGER PRIMARY KEY,
  prev    INTEGER NOT NULL,                  -- the job's event before; 0: its first
  job     INTEGER NOT NULL,
  kind    INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  state   INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  data    TEXT
);
CREATE INDEX events_deleted ON events (at, seq) WHERE kind = 10;

-- Kept with each commit, exact after a crash.
CREATE TABLE counts (
  type_id INTEGER NOT NULL,
  state   INTEGER NOT NULL,
  n       INTEGER NOT NULL,
  PRIMARY KEY (type_id, state)
) WITHOUT ROWID;
CREATE TABLE owner_queued (
  owner TEXT PRIMARY KEY,
  n     INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE idempotency (
  principal  TEXT NOT NULL,
  key        TEXT NOT NULL,
  digest     TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  jobs       TEXT NOT NULL,                  -- ids, comma between
  PRIMARY KEY (principal, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_expires ON idempotency (expires_at);

CREATE TABLE api_keys (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  sha256     TEXT NOT NULL UNIQUE,
  privileges TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER
) WITHOUT ROWID;
