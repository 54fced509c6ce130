-- Whether the first task of a job that fails stops the others.
ALTER TABLE groups ADD COLUMN fail_fast INTEGER NOT NULL DEFAULT 0;
UPDATE groups SET fail_fast = 1 WHERE kind = 'job';
