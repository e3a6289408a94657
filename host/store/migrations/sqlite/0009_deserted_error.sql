-- Why what is below them is being canceled; NULL: they did not succeed. A job whose deletion was asked for is one of
-- them from now on: what had been canceled with it before is passed over.
ALTER TABLE deserted ADD COLUMN error TEXT;
INSERT OR IGNORE INTO deserted (job, error)
  SELECT job, '{"class":3,"code":"canceled","message":"deleted"}' FROM removals;
