-- Records with a schedule of which something is to come: they are read at each start, and are never too old.
CREATE VIEW awaited_runs AS
  SELECT seq FROM runs WHERE instr(timing, '"next_run":') > 0 OR instr(timing, '"waiting":') > 0;
CREATE INDEX runs_awaited ON runs (seq) WHERE instr(timing, '"next_run":') > 0 OR instr(timing, '"waiting":') > 0;
CREATE VIEW awaited_groups AS
  SELECT seq FROM groups WHERE instr(timing, '"next_run":') > 0 OR instr(timing, '"waiting":') > 0;
CREATE INDEX groups_awaited ON groups (seq) WHERE instr(timing, '"next_run":') > 0 OR instr(timing, '"waiting":') > 0;
