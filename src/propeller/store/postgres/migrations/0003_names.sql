-- oldest: 1
-- An index of an expression leads to rows, and these have to be read. One of a column has all that is asked for. A name
-- may be too long for an index.
ALTER TABLE tasks ADD COLUMN indexed_name text COLLATE "C"
  GENERATED ALWAYS AS (left(json_of(spec) ->> 'name', 500)) STORED;
DROP INDEX tasks_by_name;
CREATE INDEX tasks_by_name ON tasks (indexed_name, seq);

-- Few tasks end in another way than completed: whether one is among them is said without a look at its row.
CREATE INDEX runs_not_completed ON runs (state, seq) WHERE state > 3;
