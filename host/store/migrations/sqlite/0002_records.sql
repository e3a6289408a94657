-- What plugins keep: records in collections, and their values in the fields that are indexed. A key-value space is a
-- collection whose name begins with '#'. Why it looks like this: docs/decisions/0013-records.md.

CREATE TABLE record_collections (
  id           INTEGER PRIMARY KEY,
  plugin       TEXT NOT NULL,
  name         TEXT NOT NULL,
  job          INTEGER,                      -- the space of one job goes with it
  records      INTEGER NOT NULL DEFAULT 0,
  bytes        INTEGER NOT NULL DEFAULT 0,   -- of keys and bodies
  last_version INTEGER NOT NULL DEFAULT 0,   -- no version is given twice, not even to a key that was deleted
  UNIQUE (plugin, name)
);
CREATE INDEX record_collections_of_job ON record_collections (job) WHERE job IS NOT NULL;

CREATE TABLE record_fields (
  id         INTEGER PRIMARY KEY,
  collection INTEGER NOT NULL,
  name       TEXT NOT NULL,
  state      INTEGER NOT NULL,               -- 0 being built, 1 ready, 2 its values are being removed
  done       TEXT NOT NULL DEFAULT ''        -- being built: the records up to this key are in
);
CREATE INDEX record_fields_of ON record_fields (collection);
CREATE INDEX record_fields_open ON record_fields (state, id) WHERE state <> 1;

CREATE TABLE records (
  collection INTEGER NOT NULL,
  key        TEXT NOT NULL,
  version    INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  expires_at INTEGER,
  parent     TEXT,                           -- '': it has none; NULL in key-value spaces
  sort       BLOB NOT NULL,                  -- record_value.hpp
  body       BLOB NOT NULL,
  PRIMARY KEY (collection, key)
);
CREATE INDEX records_by_parent ON records (collection, parent, sort, key) WHERE parent IS NOT NULL;
CREATE INDEX records_expiring ON records (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE record_values (
  field INTEGER NOT NULL,
  value BLOB NOT NULL,                       -- record_value.hpp
  sort  BLOB NOT NULL,
  key   TEXT NOT NULL,
  PRIMARY KEY (field, value, sort, key)
) WITHOUT ROWID;
