-- Workflows and jobs by the time of their end, so that those that ended long ago are not looked for among all.
CREATE INDEX groups_ended ON groups (MAX(finished_at, created_at)) WHERE live = 0;
