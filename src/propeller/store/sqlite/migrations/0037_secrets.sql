-- Versions of secrets; values are encrypted. The newest version that is not deleted has one, all others have none.
CREATE TABLE secrets (
  id         INTEGER PRIMARY KEY,
  namespace  TEXT NOT NULL,
  name       TEXT NOT NULL,
  version    INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  key_id     TEXT NOT NULL,  -- of the master key
  wrapped    BLOB NOT NULL,  -- the data key, encrypted with the master key
  box        BLOB NOT NULL,  -- the value, encrypted with the data key
  deleted_at INTEGER NOT NULL,
  UNIQUE (namespace, name, version)
) STRICT;

-- Which version was sent to which proplet, for which attempt.
CREATE TABLE secret_uses (
  id         INTEGER PRIMARY KEY,
  namespace  TEXT NOT NULL,
  name       TEXT NOT NULL,
  version    INTEGER NOT NULL,
  task_id    TEXT NOT NULL,
  attempt    INTEGER NOT NULL,
  proplet_id TEXT NOT NULL,
  at         INTEGER NOT NULL
) STRICT;
CREATE INDEX secret_uses_of ON secret_uses (namespace, name, id);
