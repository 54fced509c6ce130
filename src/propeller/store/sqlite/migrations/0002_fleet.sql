-- Boots are numbers that grow, and a proplet may be cordoned.
CREATE TABLE proplets_2 (
  id          TEXT PRIMARY KEY,
  name        TEXT NOT NULL,
  is_local    INTEGER NOT NULL,
  boot        INTEGER NOT NULL,
  is_cordoned INTEGER NOT NULL,
  drain_by    INTEGER NOT NULL,
  metadata    TEXT NOT NULL,
  created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO proplets_2 SELECT id, name, is_local, 1, 0, 0, metadata, created_at FROM proplets;
DROP TABLE proplets;
ALTER TABLE proplets_2 RENAME TO proplets;

-- How a broadcast task fares on each proplet.
CREATE TABLE executions (
  seq         INTEGER NOT NULL,
  proplet_id  TEXT NOT NULL,
  attempt     INTEGER NOT NULL,
  state       INTEGER NOT NULL,
  results     TEXT,
  error       TEXT NOT NULL,
  started_at  INTEGER NOT NULL,
  finished_at INTEGER NOT NULL,
  PRIMARY KEY (seq, proplet_id)
) STRICT, WITHOUT ROWID;

-- The last attempts of deleted tasks: a task of the same id goes on from there.
CREATE TABLE past_attempts (
  id      TEXT PRIMARY KEY,
  attempt INTEGER NOT NULL
) STRICT;
