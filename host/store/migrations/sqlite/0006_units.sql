-- What the jobs below one have brought it in units (core/units.hpp). Unlike desc_*, which count on, these stand still
-- once the job has ended or was asked to cancel.
ALTER TABLE jobs ADD COLUMN below_total INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN below_done INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN below_failed INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET below_total = desc_total, below_done = desc_done, below_failed = desc_failed WHERE desc_total > 0;
