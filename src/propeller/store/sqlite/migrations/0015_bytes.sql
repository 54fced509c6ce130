-- Results that are no text are base64.
ALTER TABLE runs ADD COLUMN results_encoding TEXT NOT NULL DEFAULT '';
ALTER TABLE executions ADD COLUMN results_encoding TEXT NOT NULL DEFAULT '';
