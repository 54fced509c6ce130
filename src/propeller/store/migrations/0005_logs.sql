-- What guests print that is not their result: pieces of streams, as proplets send them. A piece that comes
-- twice is there once.
CREATE TABLE task_logs (
  id         INTEGER PRIMARY KEY,
  owner      INTEGER NOT NULL,  -- tasks.seq: another task of the same id does not inherit them
  attempt    INTEGER NOT NULL,
  stream     TEXT NOT NULL,
  position   INTEGER NOT NULL,  -- bytes of the stream before this piece
  proplet_id TEXT NOT NULL,
  at         INTEGER NOT NULL,
  is_cut     INTEGER NOT NULL,
  text       TEXT NOT NULL,
  UNIQUE (owner, attempt, stream, position)
) STRICT;

CREATE TRIGGER task_logs_go AFTER DELETE ON tasks BEGIN
  DELETE FROM task_logs WHERE owner = OLD.seq;
END;
