-- The times of a group, so that a list need not look at its tasks.
ALTER TABLE groups ADD COLUMN started_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE groups ADD COLUMN finished_at INTEGER NOT NULL DEFAULT 0;
UPDATE groups SET (started_at, finished_at) = (
  SELECT COALESCE(MIN(NULLIF(r.started_at, 0)), 0), COALESCE(MAX(r.finished_at), 0)
  FROM tasks t JOIN runs r ON r.seq = t.seq WHERE t.workflow_id = groups.id
) WHERE kind = 'workflow';
UPDATE groups SET (started_at, finished_at) = (
  SELECT COALESCE(MIN(NULLIF(r.started_at, 0)), 0), COALESCE(MAX(r.finished_at), 0)
  FROM tasks t JOIN runs r ON r.seq = t.seq WHERE t.job_id = groups.id
) WHERE kind = 'job';

-- Lists of one state go along an index too.
CREATE INDEX groups_by_state ON groups (kind, state, created_at DESC, id);

-- How many there are, so that a page of a list costs no count: of tasks in all (`kind` is then 'task', `state`
-- -1), and of the groups of a kind in a state. Triggers keep them, whoever writes.
CREATE TABLE totals (
  kind  TEXT NOT NULL,
  state INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (kind, state)
) STRICT, WITHOUT ROWID;
INSERT INTO totals SELECT 'task', -1, COUNT(*) FROM tasks;
WITH RECURSIVE states (state) AS (SELECT 0 UNION ALL SELECT state + 1 FROM states WHERE state < 6)
INSERT INTO totals
  SELECT kind, state, (SELECT COUNT(*) FROM groups g WHERE (g.kind, g.state) = (k.kind, s.state))
  FROM (SELECT 'workflow' AS kind UNION ALL SELECT 'job') k, states s;

CREATE TRIGGER tasks_come AFTER INSERT ON tasks BEGIN
  UPDATE totals SET count = count + 1 WHERE kind = 'task' AND state = -1;
END;
CREATE TRIGGER tasks_go AFTER DELETE ON tasks BEGIN
  UPDATE totals SET count = count - 1 WHERE kind = 'task' AND state = -1;
END;
CREATE TRIGGER groups_come AFTER INSERT ON groups BEGIN
  UPDATE totals SET count = count + 1 WHERE kind = NEW.kind AND state = NEW.state;
END;
CREATE TRIGGER groups_go AFTER DELETE ON groups BEGIN
  UPDATE totals SET count = count - 1 WHERE kind = OLD.kind AND state = OLD.state;
END;
CREATE TRIGGER groups_move AFTER UPDATE OF state ON groups WHEN OLD.state <> NEW.state BEGIN
  UPDATE totals SET count = count - 1 WHERE kind = OLD.kind AND state = OLD.state;
  UPDATE totals SET count = count + 1 WHERE kind = NEW.kind AND state = NEW.state;
END;
