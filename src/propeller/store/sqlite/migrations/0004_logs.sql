-- What guests wrote. Each stream of an attempt has a row that counts, so that its bound costs no sum; all streams
-- together are counted in a row of their own, by triggers, so that the bound of all costs none either.

CREATE TABLE log_streams (
  id         INTEGER PRIMARY KEY,  -- in the order in which they began
  owner      INTEGER NOT NULL,     -- tasks.seq: another task of the same id does not inherit them
  attempt    INTEGER NOT NULL,
  proplet_id TEXT NOT NULL,
  stream     TEXT NOT NULL,
  bytes      INTEGER NOT NULL,
  is_full    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_streams_of ON log_streams (owner, attempt, proplet_id, stream);

-- An id is never used again: followers go on behind the last that they saw.
CREATE TABLE log_pieces (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,  -- in the order of arrival
  log_stream INTEGER NOT NULL,
  start      INTEGER NOT NULL,
  written_at INTEGER NOT NULL,
  text       TEXT NOT NULL,
  is_cut     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_pieces_of ON log_pieces (log_stream, start);
CREATE INDEX log_pieces_arrived ON log_pieces (log_stream, id);

CREATE TABLE log_total (bytes INTEGER NOT NULL) STRICT;
INSERT INTO log_total VALUES (0);

-- A stream counts for its bytes and for its row.
CREATE TRIGGER log_streams_come AFTER INSERT ON log_streams BEGIN
  UPDATE log_total SET bytes = bytes + NEW.bytes + 256;
END;
CREATE TRIGGER log_streams_grow AFTER UPDATE OF bytes ON log_streams BEGIN
  UPDATE log_total SET bytes = bytes + NEW.bytes - OLD.bytes;
END;
CREATE TRIGGER log_streams_go AFTER DELETE ON log_streams BEGIN
  DELETE FROM log_pieces WHERE log_stream = OLD.id;
  UPDATE log_total SET bytes = bytes - OLD.bytes - 256;
END;

-- Logs go with their task.
CREATE TRIGGER task_logs_go AFTER DELETE ON tasks BEGIN
  DELETE FROM log_streams WHERE owner = OLD.seq;
END;
