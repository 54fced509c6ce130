-- The metadata of tasks by key and value, so that a list of some of them is not looked for among all. Longer values
-- are looked for in `tasks`.
CREATE TABLE task_metadata (
  key   TEXT NOT NULL,
  value TEXT NOT NULL,     -- as the filter has it
  seq   INTEGER NOT NULL,  -- tasks.seq
  PRIMARY KEY (key, value, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_metadata_of ON task_metadata (seq);

CREATE VIEW metadata_of_specs AS
  SELECT t.seq, m.key, CASE m.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null'
    ELSE CAST(m.value AS TEXT) END AS value
  FROM tasks t, json_each(t.spec, '$.metadata') m;

INSERT OR IGNORE INTO task_metadata SELECT key, value, seq FROM metadata_of_specs WHERE length(value) <= 1000;

-- Whoever writes; most tasks have none, and a large spec is not read for that.
CREATE TRIGGER task_metadata_come AFTER INSERT ON tasks WHEN instr(NEW.spec, '"metadata":') BEGIN
  INSERT OR IGNORE INTO task_metadata
    SELECT key, value, seq FROM metadata_of_specs WHERE seq = NEW.seq AND length(value) <= 1000;
END;
CREATE TRIGGER task_metadata_change AFTER UPDATE OF spec ON tasks BEGIN
  DELETE FROM task_metadata WHERE seq = OLD.seq;
  INSERT OR IGNORE INTO task_metadata
    SELECT key, value, seq FROM metadata_of_specs WHERE seq = NEW.seq AND length(value) <= 1000;
END;
CREATE TRIGGER task_metadata_go AFTER DELETE ON tasks BEGIN
  DELETE FROM task_metadata WHERE seq = OLD.seq;
END;
