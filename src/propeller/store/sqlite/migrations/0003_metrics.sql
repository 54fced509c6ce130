-- What was measured of tasks and of proplets: each sample as the API shows it. `number` counts the samples of
-- one owner, `id` those of all, both in the order of arrival: so what is too much, and what is too old, are
-- ranges at the front of an index.

CREATE TABLE task_samples (
  id         INTEGER PRIMARY KEY,
  owner      INTEGER NOT NULL,  -- tasks.seq: another task of the same id does not inherit them
  number     INTEGER NOT NULL,
  written_at INTEGER NOT NULL,
  sample     TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX task_samples_of ON task_samples (owner, number);

CREATE TABLE proplet_samples (
  id         INTEGER PRIMARY KEY,
  owner      TEXT NOT NULL,
  number     INTEGER NOT NULL,
  written_at INTEGER NOT NULL,
  sample     TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX proplet_samples_of ON proplet_samples (owner, number);

-- Samples go with their owner. A proplet's row that is replaced by a newer one deletes nothing: SQLite then
-- runs no triggers.
CREATE TRIGGER task_samples_go AFTER DELETE ON tasks BEGIN
  DELETE FROM task_samples WHERE owner = OLD.seq;
END;
CREATE TRIGGER proplet_samples_go AFTER DELETE ON proplets BEGIN
  DELETE FROM proplet_samples WHERE owner = OLD.id;
END;
