-- Failed tasks by the time of their end, so that the newest are not looked for among all. Other tasks cost nothing.
CREATE INDEX runs_failed ON runs (finished_at) WHERE state = 4;

-- How much was done in each ten seconds, and what waited and ran at their end; ids are in the order of writing, also
-- where the clock was set.
CREATE TABLE pace (
  id              INTEGER PRIMARY KEY,
  at              INTEGER NOT NULL,  -- their begin, s since the epoch
  started         INTEGER NOT NULL,
  completed       INTEGER NOT NULL,
  failed          INTEGER NOT NULL,
  ended_otherwise INTEGER NOT NULL,
  waiting         INTEGER NOT NULL,
  running         INTEGER NOT NULL
) STRICT;
