-- Who may call: people with a password, their sessions, keys that belong to somebody, and what was done in the name of
-- administration. Why it looks like this: docs/decisions/0050-principals.md.

CREATE TABLE users (
  id            TEXT PRIMARY KEY,
  name          TEXT NOT NULL,
  name_key      TEXT NOT NULL UNIQUE,        -- the name in lower case: two names that differ in case are one
  role          TEXT NOT NULL,
  tier          INTEGER NOT NULL DEFAULT 0,
  password      TEXT NOT NULL,               -- Argon2id, PHC string form
  disabled      INTEGER NOT NULL DEFAULT 0,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  last_login_at INTEGER
) WITHOUT ROWID;

CREATE TABLE sessions (
  id         TEXT PRIMARY KEY,
  sha256     TEXT NOT NULL UNIQUE,           -- of the random token in the cookie
  user       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  seen_at    INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  revoked_at INTEGER,
  address    TEXT NOT NULL,                  -- where it was opened from
  agent      TEXT NOT NULL                   -- with what
) WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user, id);
CREATE INDEX sessions_expires ON sessions (expires_at);

-- A key without owner is the host's own: made before there were users, or by an admin for a program.
ALTER TABLE api_keys ADD COLUMN owner TEXT;
ALTER TABLE api_keys ADD COLUMN all_jobs INTEGER NOT NULL DEFAULT 1;
ALTER TABLE api_keys ADD COLUMN rate_per_minute INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN rate_burst INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN mask TEXT NOT NULL DEFAULT '';
ALTER TABLE api_keys ADD COLUMN last_used_at INTEGER;
CREATE INDEX api_keys_by_owner ON api_keys (owner, id) WHERE owner IS NOT NULL;

CREATE TABLE audit (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  actor      TEXT NOT NULL,                  -- principal's id
  actor_name TEXT NOT NULL,                  -- as it was then
  action     TEXT NOT NULL,
  target     TEXT NOT NULL,
  address    TEXT NOT NULL,
  detail     TEXT NOT NULL                   -- a JSON object, never a secret
);
CREATE INDEX audit_at ON audit (at, id);
-- Lines are added and grow old; nothing else happens to them.
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit BEGIN
  SELECT raise(ABORT, 'the audit log is append only');
END;
