-- An invocation is written when it begins, so that one which a crash of the manager ended has left a trace.
ALTER TABLE invocations ADD COLUMN id TEXT NOT NULL DEFAULT '';
ALTER TABLE invocations ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0;
CREATE INDEX invocations_open ON invocations (id) WHERE is_open = 1;
