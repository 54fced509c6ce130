-- What the user asked for (tasks) is apart from how far it is (runs): a change of state rewrites a small
-- row, whatever the size of the task's inputs or environment.

CREATE TABLE tasks (
  seq         INTEGER PRIMARY KEY,
  id          TEXT NOT NULL UNIQUE,
  workflow_id TEXT,
  job_id      TEXT,
  created_at  INTEGER NOT NULL,
  spec        TEXT NOT NULL
) STRICT;
CREATE INDEX tasks_of_workflow ON tasks (workflow_id) WHERE workflow_id IS NOT NULL;
CREATE INDEX tasks_of_job ON tasks (job_id) WHERE job_id IS NOT NULL;

CREATE TABLE runs (
  seq         INTEGER PRIMARY KEY,
  state       INTEGER NOT NULL,
  attempt     INTEGER NOT NULL,
  losses      INTEGER NOT NULL,
  proplet_id  TEXT NOT NULL,
  placed_at   INTEGER NOT NULL,
  started_at  INTEGER NOT NULL,
  finished_at INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  results     TEXT,
  error       TEXT NOT NULL,
  reason      TEXT NOT NULL
) STRICT;
CREATE INDEX runs_live ON runs (seq) WHERE state < 3;

-- Workflows and jobs. `live` counts the tasks that have not ended.
CREATE TABLE groups (
  seq        INTEGER PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE,
  kind       TEXT NOT NULL,
  name       TEXT NOT NULL,
  mode       TEXT,
  state      INTEGER NOT NULL,
  live       INTEGER NOT NULL,
  counts     TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX groups_by_kind ON groups (kind, created_at DESC, id);
CREATE INDEX groups_live ON groups (seq) WHERE live > 0;

CREATE TABLE proplets (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  is_local   INTEGER NOT NULL,
  boot       TEXT NOT NULL,
  metadata   TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Each module once, whatever the number of tasks that use it.
CREATE TABLE modules (
  digest TEXT PRIMARY KEY,
  bytes  BLOB NOT NULL
) STRICT;

-- The event log: one row a commit, with the changes of state that it made.
CREATE TABLE events (
  last_id     INTEGER PRIMARY KEY,
  first_id    INTEGER NOT NULL,
  transitions TEXT NOT NULL
) STRICT;
