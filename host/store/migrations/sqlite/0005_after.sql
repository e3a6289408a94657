-- Dependencies whose outcome does not matter: 1: done when dep has ended. The other ones are done when it has succeeded.
ALTER TABLE job_deps ADD COLUMN any_outcome INTEGER NOT NULL DEFAULT 0;
