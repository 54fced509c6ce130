-- The exit code of a program that ended with another than 0.
ALTER TABLE runs ADD COLUMN exit_code INTEGER NOT NULL DEFAULT 0;
ALTER TABLE executions ADD COLUMN exit_code INTEGER NOT NULL DEFAULT 0;
