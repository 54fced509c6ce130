-- oldest: 1
-- The tables and columns of the store in SQLite after all of its migrations, so that records are copied between the
-- two table by table. Flags are integers there and so here. Texts that are compared or sorted go by their bytes, as
-- there ("C"). Text can't hold U+0000 in PostgreSQL: each connection writes it as two other characters (texts.py).

-- Who leads, in exactly one row. Every write names the token: a manager that lost the lead can write nothing more.
CREATE TABLE leader (
  token      bigint PRIMARY KEY,    -- grows with each take-over
  holder     text NOT NULL,         -- id of the manager's process
  address    text NOT NULL,         -- its URL for other managers
  commits    bigint NOT NULL,       -- how many the engine has made, ever
  expires_at timestamptz NOT NULL   -- by the clock of the database
);
INSERT INTO leader (token, holder, address, commits, expires_at) VALUES (0, '', '', 0, '-infinity');

-- Who all managers of this database are for proplets at a broker: one, with an epoch that grows at each take-over.
CREATE TABLE identity (
  id    text NOT NULL,
  epoch bigint NOT NULL
);
INSERT INTO identity (id, epoch) VALUES (substr(md5(random()::text || clock_timestamp()::text), 1, 16), 0);

-- Reads JSON that was stored as text. jsonb and ->> refuse \u0000, which our texts may have: it becomes the two
-- characters that a connection writes for it.
CREATE FUNCTION json_of(stored text) RETURNS json LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN strpos(stored, '\u0000') = 0 AND strpos(stored, '\u0001') = 0 THEN stored ELSE
    regexp_replace(
      regexp_replace(stored, '(?<!\\)((?:\\\\)*)\\u0001', '\1\\u00011', 'g'),
      '(?<!\\)((?:\\\\)*)\\u0000', '\1\\u00010', 'g'
    ) END::json
$$;

-- -- tasks -------------------------------------------------------------------------------------------------------

CREATE TABLE tasks (
  seq         bigint PRIMARY KEY,
  id          text COLLATE "C" NOT NULL UNIQUE,
  workflow_id text COLLATE "C",
  job_id      text COLLATE "C",
  created_at  bigint NOT NULL,
  spec        text NOT NULL
);
CREATE INDEX tasks_of_workflow ON tasks (workflow_id, seq) WHERE workflow_id IS NOT NULL;
CREATE INDEX tasks_of_job ON tasks (job_id, seq) WHERE job_id IS NOT NULL;

-- The tasks of a name in the order of their creation. A name may be too long for an index.
CREATE INDEX tasks_by_name ON tasks ((left(json_of(spec) ->> 'name', 500) COLLATE "C"), seq);

-- Apart from tasks: a change of state rewrites a small row. Room is left in each page for the next version of a row.
CREATE TABLE runs (
  seq              bigint PRIMARY KEY,
  state            integer NOT NULL,
  attempt          bigint NOT NULL,
  losses           bigint NOT NULL,
  proplet_id       text COLLATE "C" NOT NULL,
  placed_at        bigint NOT NULL,
  started_at       bigint NOT NULL,
  finished_at      bigint NOT NULL,
  updated_at       bigint NOT NULL,
  results          text,
  results_encoding text NOT NULL DEFAULT '',
  error            text NOT NULL,
  error_kind       text NOT NULL DEFAULT '',
  exit_code        bigint NOT NULL DEFAULT 0,
  reason           text NOT NULL,
  was_up           integer NOT NULL DEFAULT 0,
  restarts         bigint NOT NULL DEFAULT 0,
  is_up            integer NOT NULL DEFAULT 0,
  timing           text NOT NULL DEFAULT ''
) WITH (fillfactor = 70);
CREATE INDEX runs_live ON runs (seq) WHERE state < 3;
CREATE INDEX runs_failed ON runs (finished_at) WHERE state = 4;

-- Tasks in blocks of 256, in the order of their creation: how many of each block are in each state (`s` and the
-- state's number), and when the first and the last of it were created. So lists are counted, and their pages found,
-- in steps of blocks. A block without tasks has no row.
CREATE TABLE task_blocks (
  block    bigint PRIMARY KEY,  -- seq >> 8
  first_at bigint NOT NULL,
  last_at  bigint NOT NULL,
  s0 bigint NOT NULL, s1 bigint NOT NULL, s2 bigint NOT NULL, s3 bigint NOT NULL,
  s4 bigint NOT NULL, s5 bigint NOT NULL, s6 bigint NOT NULL
) WITH (fillfactor = 50);

-- Records with a schedule of which something is to come: they are read at each start, and are never too old.
CREATE INDEX runs_awaited ON runs (seq)
  WHERE timing <> '' AND (strpos(timing, '"next_run":') > 0 OR strpos(timing, '"waiting":') > 0);
CREATE VIEW awaited_runs AS
  SELECT seq FROM runs WHERE timing <> '' AND (strpos(timing, '"next_run":') > 0 OR strpos(timing, '"waiting":') > 0);
-- Those that a user may let go on are never too old either.
CREATE INDEX runs_paused ON runs (seq)
  WHERE timing <> '' AND strpos(timing, '"is_paused":true') > 0 AND strpos(timing, '"is_over":true') = 0;
CREATE VIEW kept_runs AS
  SELECT seq FROM awaited_runs UNION ALL
  SELECT seq FROM runs
    WHERE timing <> '' AND strpos(timing, '"is_paused":true') > 0 AND strpos(timing, '"is_over":true') = 0;

-- How a broadcast task fares on each proplet.
CREATE TABLE executions (
  seq              bigint NOT NULL,  -- tasks.seq
  proplet_id       text COLLATE "C" NOT NULL,
  attempt          bigint NOT NULL,
  state            integer NOT NULL,
  results          text,
  results_encoding text NOT NULL DEFAULT '',
  error            text NOT NULL,
  error_kind       text NOT NULL DEFAULT '',
  exit_code        bigint NOT NULL DEFAULT 0,
  started_at       bigint NOT NULL,
  finished_at      bigint NOT NULL,
  PRIMARY KEY (seq, proplet_id)
);

-- Attempts that were followed by another one; the present one is in runs, or in executions.
CREATE TABLE attempts (
  seq              bigint NOT NULL,  -- tasks.seq
  attempt          bigint NOT NULL,
  proplet_id       text COLLATE "C" NOT NULL,
  state            integer NOT NULL,
  results          text,
  results_encoding text NOT NULL DEFAULT '',
  error            text NOT NULL,
  error_kind       text NOT NULL DEFAULT '',
  exit_code        bigint NOT NULL DEFAULT 0,
  started_at       bigint NOT NULL,
  finished_at      bigint NOT NULL,
  PRIMARY KEY (seq, attempt, proplet_id)
);

-- The last attempts of deleted tasks: a task of the same id goes on from there. The oldest have the lowest numbers.
CREATE TABLE past_attempts (
  id      text COLLATE "C" PRIMARY KEY,
  attempt bigint NOT NULL,
  number  bigint GENERATED BY DEFAULT AS IDENTITY
);
CREATE UNIQUE INDEX past_attempts_by_age ON past_attempts (number);

-- The metadata of tasks by key and value, of up to 2,000 bytes together; longer ones are looked for in tasks.
CREATE TABLE task_metadata (
  key   text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,  -- as the filter has it
  seq   bigint NOT NULL,            -- tasks.seq
  PRIMARY KEY (key, value, seq)
);
CREATE INDEX task_metadata_of ON task_metadata (seq);

CREATE FUNCTION metadata_of(spec text) RETURNS TABLE (key text, value text) LANGUAGE sql IMMUTABLE AS $$
  SELECT m.key, CASE json_typeof(m.value) WHEN 'string' THEN m.value #>> '{}' ELSE m.value::text END
  FROM json_each(CASE WHEN strpos(spec, '"metadata":{') > 0 THEN json_of(spec) -> 'metadata' END) m
$$;
CREATE VIEW metadata_of_specs AS
  SELECT t.seq, m.key COLLATE "C" AS key, m.value COLLATE "C" AS value
  FROM tasks t CROSS JOIN LATERAL metadata_of(t.spec) m;

-- -- groups ------------------------------------------------------------------------------------------------------

-- Workflows and jobs. `live` counts the tasks that have not ended.
CREATE TABLE groups (
  seq         bigint PRIMARY KEY,
  id          text COLLATE "C" NOT NULL UNIQUE,
  kind        text COLLATE "C" NOT NULL,
  name        text COLLATE "C" NOT NULL,
  mode        text,
  state       integer NOT NULL,
  live        bigint NOT NULL,
  counts      text NOT NULL,
  created_at  bigint NOT NULL,
  fail_fast   integer NOT NULL DEFAULT 0,
  started_at  bigint NOT NULL DEFAULT 0,
  finished_at bigint NOT NULL DEFAULT 0,
  definition  text NOT NULL DEFAULT '',
  timing      text NOT NULL DEFAULT ''
) WITH (fillfactor = 70);
CREATE INDEX groups_by_kind ON groups (kind, created_at DESC, id);
CREATE INDEX groups_by_state ON groups (kind, state, created_at DESC, id);
CREATE INDEX groups_live ON groups (seq) WHERE live > 0;
CREATE INDEX groups_ended ON groups (GREATEST(finished_at, created_at)) WHERE live = 0;
-- The runs of one name in the order of their creation; most groups have no name. A name may be too long for an index.
CREATE INDEX groups_by_name ON groups (kind, left(name, 500), created_at) WHERE name <> '';
CREATE INDEX groups_awaited ON groups (seq)
  WHERE timing <> '' AND (strpos(timing, '"next_run":') > 0 OR strpos(timing, '"waiting":') > 0);
CREATE VIEW awaited_groups AS
  SELECT seq FROM groups
    WHERE timing <> '' AND (strpos(timing, '"next_run":') > 0 OR strpos(timing, '"waiting":') > 0);
CREATE INDEX groups_paused ON groups (seq)
  WHERE timing <> '' AND strpos(timing, '"is_paused":true') > 0 AND strpos(timing, '"is_over":true') = 0;
CREATE VIEW kept_groups AS
  SELECT seq FROM awaited_groups UNION ALL
  SELECT seq FROM groups
    WHERE timing <> '' AND strpos(timing, '"is_paused":true') > 0 AND strpos(timing, '"is_over":true') = 0;

CREATE TABLE group_labels (
  key   text COLLATE "C" NOT NULL,
  value text COLLATE "C" NOT NULL,
  seq   bigint NOT NULL,  -- groups.seq
  PRIMARY KEY (key, value, seq)
);
CREATE INDEX group_labels_of ON group_labels (seq);

-- Workflows, jobs, and tasks of none that have been forgotten, and are not deleted in full yet.
CREATE TABLE going (
  id   text COLLATE "C" PRIMARY KEY,
  kind text NOT NULL
);

-- -- the rest of what the engine writes --------------------------------------------------------------------------

CREATE TABLE proplets (
  id          text COLLATE "C" PRIMARY KEY,
  name        text NOT NULL,
  is_local    integer NOT NULL,
  boot        bigint NOT NULL,
  is_cordoned integer NOT NULL,
  drain_by    bigint NOT NULL,
  metadata    text NOT NULL,
  created_at  bigint NOT NULL
);

-- Each module once, whatever the number of tasks that use it. A piece of one is read without the rest.
CREATE TABLE modules (
  digest text COLLATE "C" PRIMARY KEY,
  bytes  bytea NOT NULL
);
ALTER TABLE modules ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- The event log: one row a commit. `task_seq` is the newest task then: those of a task begin where it reaches its own.
CREATE TABLE events (
  last_id     bigint PRIMARY KEY,
  first_id    bigint NOT NULL,
  transitions text NOT NULL,
  task_seq    bigint
);
CREATE INDEX events_by_task ON events (COALESCE(task_seq, 0), last_id);

-- Commands that were carried out under a client's key, and the answers.
CREATE TABLE idempotency_keys (
  key         text COLLATE "C" PRIMARY KEY,
  fingerprint bytea NOT NULL,
  created_at  bigint NOT NULL,
  task_ids    text NOT NULL,
  status      integer,
  location    text,
  answer      bytea
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- -- what is written beside ---------------------------------------------------------------------------------------

-- `number` counts the samples of one owner, `id` those of all, both in the order of arrival.
CREATE TABLE task_samples (
  id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  owner      bigint NOT NULL,  -- tasks.seq
  number     bigint NOT NULL,
  written_at bigint NOT NULL,
  sample     text NOT NULL
);
CREATE UNIQUE INDEX task_samples_of ON task_samples (owner, number);
CREATE TABLE proplet_samples (
  id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  owner      text COLLATE "C" NOT NULL,  -- proplets.id
  number     bigint NOT NULL,
  written_at bigint NOT NULL,
  sample     text NOT NULL
);
CREATE UNIQUE INDEX proplet_samples_of ON proplet_samples (owner, number);

CREATE TABLE log_streams (
  id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,  -- in the order in which they began
  owner      bigint NOT NULL,                                      -- tasks.seq
  attempt    bigint NOT NULL,
  proplet_id text COLLATE "C" NOT NULL,
  stream     text COLLATE "C" NOT NULL,
  bytes      bigint NOT NULL,
  is_full    integer NOT NULL
);
CREATE UNIQUE INDEX log_streams_of ON log_streams (owner, attempt, proplet_id, stream);

-- An id is never used again: followers go on behind the last that they saw.
CREATE TABLE log_pieces (
  id         bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,  -- in the order of arrival
  log_stream bigint NOT NULL,
  start      bigint NOT NULL,
  written_at bigint NOT NULL,
  text       text NOT NULL,
  is_cut     integer NOT NULL
);
CREATE UNIQUE INDEX log_pieces_of ON log_pieces (log_stream, start);
CREATE INDEX log_pieces_arrived ON log_pieces (log_stream, id);

CREATE TABLE log_total (bytes bigint NOT NULL);
INSERT INTO log_total (bytes) VALUES (0);

-- What became of each invocation of a latent task.
CREATE TABLE invocations (
  number     bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  owner      bigint NOT NULL,  -- tasks.seq
  invocation text NOT NULL,    -- JSON, as the API shows it
  id         text COLLATE "C" NOT NULL DEFAULT '',
  is_open    integer NOT NULL DEFAULT 0
);
CREATE INDEX invocations_of ON invocations (owner, number);
CREATE INDEX invocations_open ON invocations (id) WHERE is_open = 1;

CREATE TABLE pace (
  id              bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  step            bigint NOT NULL,
  started         bigint NOT NULL,
  completed       bigint NOT NULL,
  failed          bigint NOT NULL,
  ended_otherwise bigint NOT NULL,
  waiting         bigint NOT NULL,
  running         bigint NOT NULL
);

-- -- counters and what goes along, kept by triggers whoever writes: once for a statement, not for each row ---------

-- How many tasks there are in all (`kind` 'task', `state` -1), and groups of a kind in a state.
CREATE TABLE totals (
  kind  text COLLATE "C" NOT NULL,
  state integer NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (kind, state)
) WITH (fillfactor = 50);
INSERT INTO totals (kind, state, count) VALUES ('task', -1, 0);
INSERT INTO totals (kind, state, count)
  SELECT kind, state, 0 FROM unnest(ARRAY['workflow', 'job']) kind, generate_series(0, 6) state;

CREATE FUNCTION tasks_came() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE totals SET count = count + (SELECT COUNT(*) FROM came)
    WHERE kind = 'task' AND state = -1 AND EXISTS (SELECT FROM came);
  INSERT INTO task_metadata (key, value, seq)
    SELECT m.key, m.value, c.seq FROM came c CROSS JOIN LATERAL metadata_of(c.spec) m
    WHERE octet_length(m.key) + octet_length(m.value) <= 2000
    ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER tasks_come AFTER INSERT ON tasks REFERENCING NEW TABLE AS came
  FOR EACH STATEMENT EXECUTE FUNCTION tasks_came();

CREATE FUNCTION tasks_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM task_metadata WHERE seq = ANY (ARRAY(SELECT seq FROM now));
  INSERT INTO task_metadata (key, value, seq)
    SELECT m.key, m.value, n.seq FROM now n CROSS JOIN LATERAL metadata_of(n.spec) m
    WHERE octet_length(m.key) + octet_length(m.value) <= 2000
    ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER tasks_change AFTER UPDATE ON tasks REFERENCING NEW TABLE AS now
  FOR EACH STATEMENT EXECUTE FUNCTION tasks_changed();

-- Logs, samples and invocations go with their task: another task of the same id does not inherit them.
CREATE FUNCTION tasks_went() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE totals SET count = count - (SELECT COUNT(*) FROM gone)
    WHERE kind = 'task' AND state = -1 AND EXISTS (SELECT FROM gone);
  DELETE FROM task_metadata WHERE seq = ANY (ARRAY(SELECT seq FROM gone));
  DELETE FROM task_samples WHERE owner = ANY (ARRAY(SELECT seq FROM gone));
  DELETE FROM log_streams WHERE owner = ANY (ARRAY(SELECT seq FROM gone));
  DELETE FROM invocations WHERE owner = ANY (ARRAY(SELECT seq FROM gone));
  RETURN NULL;
END $$;
CREATE TRIGGER tasks_go AFTER DELETE ON tasks REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION tasks_went();

-- A task is written before its run, or with it.
CREATE FUNCTION runs_came() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO task_blocks (block, first_at, last_at, s0, s1, s2, s3, s4, s5, s6)
    SELECT c.seq >> 8, MIN(t.created_at), MAX(t.created_at),
      COUNT(*) FILTER (WHERE c.state = 0), COUNT(*) FILTER (WHERE c.state = 1), COUNT(*) FILTER (WHERE c.state = 2),
      COUNT(*) FILTER (WHERE c.state = 3), COUNT(*) FILTER (WHERE c.state = 4), COUNT(*) FILTER (WHERE c.state = 5),
      COUNT(*) FILTER (WHERE c.state = 6)
    FROM came c JOIN tasks t ON t.seq = c.seq GROUP BY c.seq >> 8
    ON CONFLICT (block) DO UPDATE SET
      first_at = LEAST(task_blocks.first_at, excluded.first_at),
      last_at = GREATEST(task_blocks.last_at, excluded.last_at),
      s0 = task_blocks.s0 + excluded.s0, s1 = task_blocks.s1 + excluded.s1, s2 = task_blocks.s2 + excluded.s2,
      s3 = task_blocks.s3 + excluded.s3, s4 = task_blocks.s4 + excluded.s4, s5 = task_blocks.s5 + excluded.s5,
      s6 = task_blocks.s6 + excluded.s6;
  RETURN NULL;
END $$;
CREATE TRIGGER runs_come AFTER INSERT ON runs REFERENCING NEW TABLE AS came
  FOR EACH STATEMENT EXECUTE FUNCTION runs_came();

CREATE FUNCTION runs_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE task_blocks b SET s0 = b.s0 + m.s0, s1 = b.s1 + m.s1, s2 = b.s2 + m.s2, s3 = b.s3 + m.s3,
      s4 = b.s4 + m.s4, s5 = b.s5 + m.s5, s6 = b.s6 + m.s6
    FROM (
      SELECT seq >> 8 AS block, COALESCE(SUM(number) FILTER (WHERE state = 0), 0) AS s0,
        COALESCE(SUM(number) FILTER (WHERE state = 1), 0) AS s1, COALESCE(SUM(number) FILTER (WHERE state = 2), 0) AS s2,
        COALESCE(SUM(number) FILTER (WHERE state = 3), 0) AS s3, COALESCE(SUM(number) FILTER (WHERE state = 4), 0) AS s4,
        COALESCE(SUM(number) FILTER (WHERE state = 5), 0) AS s5, COALESCE(SUM(number) FILTER (WHERE state = 6), 0) AS s6
      FROM (SELECT seq, state, 1 AS number FROM now UNION ALL SELECT seq, state, -1 FROM before) each GROUP BY seq >> 8
    ) m
    WHERE b.block = m.block AND (m.s0, m.s1, m.s2, m.s3, m.s4, m.s5, m.s6) <> (0, 0, 0, 0, 0, 0, 0);
  RETURN NULL;
END $$;
CREATE TRIGGER runs_move AFTER UPDATE ON runs REFERENCING OLD TABLE AS before NEW TABLE AS now
  FOR EACH STATEMENT EXECUTE FUNCTION runs_moved();

CREATE FUNCTION runs_went() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE task_blocks b SET s0 = b.s0 - g.s0, s1 = b.s1 - g.s1, s2 = b.s2 - g.s2, s3 = b.s3 - g.s3,
      s4 = b.s4 - g.s4, s5 = b.s5 - g.s5, s6 = b.s6 - g.s6
    FROM (
      SELECT seq >> 8 AS block, COUNT(*) FILTER (WHERE state = 0) AS s0, COUNT(*) FILTER (WHERE state = 1) AS s1,
        COUNT(*) FILTER (WHERE state = 2) AS s2, COUNT(*) FILTER (WHERE state = 3) AS s3,
        COUNT(*) FILTER (WHERE state = 4) AS s4, COUNT(*) FILTER (WHERE state = 5) AS s5,
        COUNT(*) FILTER (WHERE state = 6) AS s6
      FROM gone GROUP BY seq >> 8
    ) g
    WHERE b.block = g.block;
  DELETE FROM task_blocks b WHERE b.block IN (SELECT seq >> 8 FROM gone)
    AND b.s0 + b.s1 + b.s2 + b.s3 + b.s4 + b.s5 + b.s6 = 0;
  RETURN NULL;
END $$;
CREATE TRIGGER runs_go AFTER DELETE ON runs REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION runs_went();

CREATE FUNCTION groups_came() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE totals t SET count = count + c.number
    FROM (SELECT kind, state, COUNT(*) AS number FROM came GROUP BY kind, state) c
    WHERE t.kind = c.kind AND t.state = c.state;
  INSERT INTO group_labels (key, value, seq)
    SELECT l.key, l.value, c.seq FROM came c CROSS JOIN LATERAL json_each_text(json_of(c.definition) -> 'labels') l
    WHERE strpos(c.definition, '"labels":{') > 0 AND json_typeof(json_of(c.definition) -> 'labels') = 'object';
  RETURN NULL;
END $$;
CREATE TRIGGER groups_come AFTER INSERT ON groups REFERENCING NEW TABLE AS came
  FOR EACH STATEMENT EXECUTE FUNCTION groups_came();

CREATE FUNCTION groups_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE totals t SET count = count + m.number
    FROM (
      SELECT kind, state, SUM(number) AS number
      FROM (SELECT kind, state, 1 AS number FROM now UNION ALL SELECT kind, state, -1 FROM before) each
      GROUP BY kind, state
    ) m
    WHERE t.kind = m.kind AND t.state = m.state AND m.number <> 0;
  RETURN NULL;
END $$;
CREATE TRIGGER groups_move AFTER UPDATE ON groups REFERENCING OLD TABLE AS before NEW TABLE AS now
  FOR EACH STATEMENT EXECUTE FUNCTION groups_moved();

CREATE FUNCTION groups_went() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE totals t SET count = count - g.number
    FROM (SELECT kind, state, COUNT(*) AS number FROM gone GROUP BY kind, state) g
    WHERE t.kind = g.kind AND t.state = g.state;
  DELETE FROM group_labels WHERE seq = ANY (ARRAY(SELECT seq FROM gone));
  RETURN NULL;
END $$;
CREATE TRIGGER groups_go AFTER DELETE ON groups REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION groups_went();

CREATE FUNCTION proplets_went() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM proplet_samples WHERE owner = ANY (ARRAY(SELECT id FROM gone));
  RETURN NULL;
END $$;
CREATE TRIGGER proplets_go AFTER DELETE ON proplets REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION proplets_went();

-- A stream counts for its bytes and for its row.
CREATE FUNCTION log_streams_came() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE log_total SET bytes = bytes + (SELECT SUM(c.bytes + 256) FROM came c) WHERE EXISTS (SELECT FROM came);
  RETURN NULL;
END $$;
CREATE TRIGGER log_streams_come AFTER INSERT ON log_streams REFERENCING NEW TABLE AS came
  FOR EACH STATEMENT EXECUTE FUNCTION log_streams_came();

CREATE FUNCTION log_streams_grew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE log_total SET bytes = bytes + (SELECT SUM(n.bytes) FROM now n) - (SELECT SUM(b.bytes) FROM before b)
    WHERE EXISTS (SELECT FROM now);
  RETURN NULL;
END $$;
CREATE TRIGGER log_streams_grow AFTER UPDATE ON log_streams REFERENCING OLD TABLE AS before NEW TABLE AS now
  FOR EACH STATEMENT EXECUTE FUNCTION log_streams_grew();

CREATE FUNCTION log_streams_went() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM log_pieces WHERE log_stream = ANY (ARRAY(SELECT id FROM gone));
  UPDATE log_total SET bytes = bytes - (SELECT SUM(g.bytes + 256) FROM gone g) WHERE EXISTS (SELECT FROM gone);
  RETURN NULL;
END $$;
CREATE TRIGGER log_streams_go AFTER DELETE ON log_streams REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION log_streams_went();
