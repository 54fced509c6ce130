-- Records with a schedule that a user may let go on, or of which something is to come: they are never too old.
CREATE VIEW kept_runs AS
  SELECT seq FROM awaited_runs UNION ALL
  SELECT seq FROM runs
    WHERE timing <> '' AND instr(timing, '"is_paused":true') > 0 AND instr(timing, '"is_over":true') = 0;
CREATE INDEX runs_paused ON runs (seq)
  WHERE timing <> '' AND instr(timing, '"is_paused":true') > 0 AND instr(timing, '"is_over":true') = 0;
CREATE VIEW kept_groups AS
  SELECT seq FROM awaited_groups UNION ALL
  SELECT seq FROM groups
    WHERE timing <> '' AND instr(timing, '"is_paused":true') > 0 AND instr(timing, '"is_over":true') = 0;
CREATE INDEX groups_paused ON groups (seq)
  WHERE timing <> '' AND instr(timing, '"is_paused":true') > 0 AND instr(timing, '"is_over":true') = 0;
