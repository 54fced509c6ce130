-- Whether a task that stays is up at present: it may have crashed, and not yet be started anew.
ALTER TABLE runs ADD COLUMN is_up INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET is_up = was_up WHERE state = 2;
