-- What of a run goes by a clock, as JSON; empty for tasks and groups that ask for no such thing.
ALTER TABLE runs ADD COLUMN timing TEXT NOT NULL DEFAULT '';
-- What a user asked for of a group as a whole, as JSON; empty for one that is only its tasks.
ALTER TABLE groups ADD COLUMN definition TEXT NOT NULL DEFAULT '';
ALTER TABLE groups ADD COLUMN timing TEXT NOT NULL DEFAULT '';

-- Attempts of tasks that were followed by another one. The present attempt of a task is in `runs`, or in `executions`
-- if it is a broadcast, so that a task that is run once has nothing here.
CREATE TABLE attempts (
  seq              INTEGER NOT NULL,  -- tasks.seq
  attempt          INTEGER NOT NULL,
  proplet_id       TEXT NOT NULL,
  state            INTEGER NOT NULL,
  results          TEXT,
  results_encoding TEXT NOT NULL,
  error            TEXT NOT NULL,
  error_kind       TEXT NOT NULL,
  exit_code        INTEGER NOT NULL,
  started_at       INTEGER NOT NULL,
  finished_at      INTEGER NOT NULL,
  PRIMARY KEY (seq, attempt, proplet_id)
) STRICT, WITHOUT ROWID;
