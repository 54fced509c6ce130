-- The newest task (tasks.seq) when the events of a row were written: those of a task begin where this reaches its own.
-- NULL in rows of earlier versions, which name no causes either.
ALTER TABLE events ADD COLUMN task_seq INTEGER;
