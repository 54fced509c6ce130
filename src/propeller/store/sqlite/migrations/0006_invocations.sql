-- What became of each invocation of a latent task.
CREATE TABLE invocations (
  number     INTEGER PRIMARY KEY,
  owner      INTEGER NOT NULL,  -- tasks.seq
  invocation TEXT NOT NULL      -- JSON, as the API shows it
) STRICT;
CREATE INDEX invocations_of ON invocations (owner, number);

CREATE TRIGGER invocations_go AFTER DELETE ON tasks BEGIN
  DELETE FROM invocations WHERE owner = OLD.seq;
END;
