-- Records with a schedule of which something is to come: they are read at each start, and are never too old. That
-- `timing` is empty, as for most, is asked first: it is so for each row that is written.
CREATE VIEW awaited_runs AS
  SELECT seq FROM runs WHERE timing <> '' AND (instr(timing, '"next_run":') > 0 OR instr(timing, '"waiting":') > 0);
CREATE INDEX runs_awaited ON runs (seq)
  WHERE timing <> '' AND (instr(timing, '"next_run":') > 0 OR instr(timing, '"waiting":') > 0);
CREATE VIEW awaited_groups AS
  SELECT seq FROM groups WHERE timing <> '' AND (instr(timing, '"next_run":') > 0 OR instr(timing, '"waiting":') > 0);
CREATE INDEX groups_awaited ON groups (seq)
  WHERE timing <> '' AND (instr(timing, '"next_run":') > 0 OR instr(timing, '"waiting":') > 0);
