-- Tasks that change their state are counted once for a commit too (store/sqlite/counts.py). With a trigger, SQLite kept
-- each page that an update of a run changed in a journal of that statement.
DROP TRIGGER task_blocks_move;
