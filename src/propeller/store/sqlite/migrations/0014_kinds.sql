-- Failures have a kind, and reasons are values with a kind: what was stored before has its words only.
ALTER TABLE runs ADD COLUMN error_kind TEXT NOT NULL DEFAULT '';
ALTER TABLE executions ADD COLUMN error_kind TEXT NOT NULL DEFAULT '';
-- What a scheduled task (1) waits for is said anew at each look, and was known by how it begins.
UPDATE runs SET reason = '' WHERE state = 1 AND reason LIKE 'waits for %';
UPDATE runs SET reason = json_object('kind', 'note', 'text', reason) WHERE reason <> '';
UPDATE runs SET error_kind = 'other' WHERE error <> '';
UPDATE executions SET error_kind = 'other' WHERE error <> '';
