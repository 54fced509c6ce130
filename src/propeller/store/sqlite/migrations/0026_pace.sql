-- Failed tasks by the time of their end, so that the newest are not looked for among all. Other tasks cost nothing.
CREATE INDEX runs_failed ON runs (finished_at) WHERE state = 4;

-- What was done in each step of ten seconds, and how much waited and ran at most. Ids are in the order of writing, also
-- where the clock was set.
CREATE TABLE pace (
  id              INTEGER PRIMARY KEY,
  step            INTEGER NOT NULL,  -- counted from the Unix epoch
  started         INTEGER NOT NULL,
  completed       INTEGER NOT NULL,
  failed          INTEGER NOT NULL,
  ended_otherwise INTEGER NOT NULL,
  waiting         INTEGER NOT NULL,
  running         INTEGER NOT NULL
) STRICT;
