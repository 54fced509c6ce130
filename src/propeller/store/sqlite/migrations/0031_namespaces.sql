-- The namespace of tasks, workflows and jobs ('' for `default`) and who created them ('' where nobody says): the same
-- as in `spec` and `definition`, so that lists of some of them go along an index. Neither ever changes.
ALTER TABLE tasks ADD COLUMN namespace TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
CREATE INDEX tasks_of_namespace ON tasks (namespace);
CREATE INDEX tasks_of_creator ON tasks (created_by) WHERE created_by <> '';

ALTER TABLE groups ADD COLUMN namespace TEXT NOT NULL DEFAULT '';
ALTER TABLE groups ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
CREATE INDEX groups_of_namespace ON groups (kind, namespace, created_at DESC, id);
CREATE INDEX groups_of_creator ON groups (kind, created_by, created_at DESC, id) WHERE created_by <> '';
