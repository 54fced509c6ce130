-- Tasks that stay on their proplet until they are stopped: whether they have been up, and how often they
-- were started anew there after a crash.
ALTER TABLE runs ADD COLUMN was_up INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;
