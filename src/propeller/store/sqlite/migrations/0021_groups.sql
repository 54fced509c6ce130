-- A group of which tasks were interrupted and none failed has a state of its own; the totals follow by their trigger.
UPDATE groups SET state = 6 WHERE state = 4 AND json_extract(counts, '$[4]') = 0;

-- The labels of groups by key and value, so that a list of some groups is not looked for among all.
CREATE TABLE group_labels (
  key   TEXT NOT NULL,
  value TEXT NOT NULL,
  seq   INTEGER NOT NULL,  -- groups.seq
  PRIMARY KEY (key, value, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_labels_of ON group_labels (seq);

-- Whoever writes; a group keeps its labels, and most have none.
CREATE TRIGGER group_labels_come AFTER INSERT ON groups WHEN instr(NEW.definition, '"labels":') BEGIN
  INSERT INTO group_labels SELECT key, value, NEW.seq FROM json_each(NEW.definition, '$.labels');
END;
CREATE TRIGGER group_labels_go AFTER DELETE ON groups WHEN OLD.definition <> '' BEGIN
  DELETE FROM group_labels WHERE seq = OLD.seq;
END;
