-- Tasks in blocks of 256, in the order of their creation: how many of each block are in each state (`s` and the
-- state's number), and when the first and the last of it were created. So lists are counted, and their pages found,
-- in steps of blocks. A block without tasks has no row.
CREATE TABLE task_blocks (
  block    INTEGER PRIMARY KEY,  -- seq >> 8
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  s0 INTEGER NOT NULL, s1 INTEGER NOT NULL, s2 INTEGER NOT NULL, s3 INTEGER NOT NULL,
  s4 INTEGER NOT NULL, s5 INTEGER NOT NULL, s6 INTEGER NOT NULL
) STRICT;
INSERT INTO task_blocks
  SELECT seq >> 8, MIN(created_at), MAX(created_at), SUM(state = 0), SUM(state = 1), SUM(state = 2), SUM(state = 3),
    SUM(state = 4), SUM(state = 5), SUM(state = 6)
  FROM tasks JOIN runs USING (seq) GROUP BY seq >> 8;

-- Whoever writes; a task is written before its run.
CREATE TRIGGER task_blocks_come AFTER INSERT ON runs BEGIN
  INSERT INTO task_blocks
    SELECT seq >> 8, created_at, created_at, NEW.state = 0, NEW.state = 1, NEW.state = 2, NEW.state = 3,
      NEW.state = 4, NEW.state = 5, NEW.state = 6
    FROM tasks WHERE seq = NEW.seq
    ON CONFLICT (block) DO UPDATE SET
      first_at = MIN(first_at, excluded.first_at), last_at = MAX(last_at, excluded.last_at), s0 = s0 + excluded.s0,
      s1 = s1 + excluded.s1, s2 = s2 + excluded.s2, s3 = s3 + excluded.s3, s4 = s4 + excluded.s4,
      s5 = s5 + excluded.s5, s6 = s6 + excluded.s6;
END;
CREATE TRIGGER task_blocks_move AFTER UPDATE OF state ON runs WHEN OLD.state <> NEW.state BEGIN
  UPDATE task_blocks SET
    s0 = s0 + (NEW.state = 0) - (OLD.state = 0), s1 = s1 + (NEW.state = 1) - (OLD.state = 1),
    s2 = s2 + (NEW.state = 2) - (OLD.state = 2), s3 = s3 + (NEW.state = 3) - (OLD.state = 3),
    s4 = s4 + (NEW.state = 4) - (OLD.state = 4), s5 = s5 + (NEW.state = 5) - (OLD.state = 5),
    s6 = s6 + (NEW.state = 6) - (OLD.state = 6)
  WHERE block = NEW.seq >> 8;
END;
CREATE TRIGGER task_blocks_go AFTER DELETE ON runs BEGIN
  UPDATE task_blocks SET
    s0 = s0 - (OLD.state = 0), s1 = s1 - (OLD.state = 1), s2 = s2 - (OLD.state = 2), s3 = s3 - (OLD.state = 3),
    s4 = s4 - (OLD.state = 4), s5 = s5 - (OLD.state = 5), s6 = s6 - (OLD.state = 6)
  WHERE block = OLD.seq >> 8;
  DELETE FROM task_blocks WHERE block = OLD.seq >> 8 AND s0 + s1 + s2 + s3 + s4 + s5 + s6 = 0;
END;

-- The tasks of a name in the order of their creation.
CREATE INDEX tasks_by_name ON tasks (spec ->> 'name');
