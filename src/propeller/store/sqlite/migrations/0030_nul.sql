-- SQLite reads a text of JSON only up to U+0000. So it gets JSON with a half of a surrogate in its place, which no text
-- has, and puts U+0000 back into what it has read.
ALTER TABLE tasks ADD COLUMN read_spec TEXT GENERATED ALWAYS AS (
  CASE WHEN spec NOT GLOB '*\u0000*' THEN spec
    ELSE replace(replace(replace(spec, '\\', char(1)), '\u0000', '\udfff'), char(1), '\\') END
) VIRTUAL;
ALTER TABLE tasks ADD COLUMN name TEXT
  GENERATED ALWAYS AS (replace(read_spec ->> 'name', char(57343), char(0))) VIRTUAL;
ALTER TABLE groups ADD COLUMN read_definition TEXT GENERATED ALWAYS AS (
  CASE WHEN definition NOT GLOB '*\u0000*' THEN definition
    ELSE replace(replace(replace(definition, '\\', char(1)), '\u0000', '\udfff'), char(1), '\\') END
) VIRTUAL;

DROP INDEX tasks_by_name;
CREATE INDEX tasks_by_name ON tasks (name);

DROP VIEW metadata_of_specs;
CREATE VIEW metadata_of_specs AS
  SELECT t.seq, replace(m.key, char(57343), char(0)) AS key,
    CASE m.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'null' THEN 'null'
      WHEN 'text' THEN replace(m.value, char(57343), char(0))
      -- What is JSON still has an escape.
      ELSE replace(replace(replace(CAST(m.value AS TEXT), '\\', char(1)), '\udfff', '\u0000'), char(1), '\\')
    END AS value
  FROM tasks t, json_each(t.read_spec, '$.metadata') m;
CREATE VIEW labels_of_definitions AS
  SELECT g.seq, replace(l.key, char(57343), char(0)) AS key, replace(l.value, char(57343), char(0)) AS value
  FROM groups g, json_each(g.read_definition, '$.labels') l;

DROP TRIGGER group_labels_come;
CREATE TRIGGER group_labels_come AFTER INSERT ON groups WHEN instr(NEW.definition, '"labels":') BEGIN
  INSERT INTO group_labels (key, value, seq) SELECT key, value, seq FROM labels_of_definitions WHERE seq = NEW.seq;
END;

-- What earlier versions have read.
DELETE FROM task_metadata WHERE seq IN (SELECT seq FROM tasks WHERE spec GLOB '*\u0000*');
INSERT OR IGNORE INTO task_metadata (key, value, seq)
  SELECT key, value, seq FROM metadata_of_specs
    WHERE seq IN (SELECT seq FROM tasks WHERE spec GLOB '*\u0000*') AND length(value) <= 1000;
DELETE FROM group_labels WHERE seq IN (SELECT seq FROM groups WHERE definition GLOB '*\u0000*');
INSERT INTO group_labels (key, value, seq)
  SELECT key, value, seq FROM labels_of_definitions
    WHERE seq IN (SELECT seq FROM groups WHERE definition GLOB '*\u0000*');
