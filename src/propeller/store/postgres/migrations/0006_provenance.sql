-- oldest: 1
-- What ran in an attempt: its module, its engine, who has signed it and what it was given, as JSON; '' where no proplet
-- has said it.
ALTER TABLE runs ADD COLUMN ran text NOT NULL DEFAULT '';
ALTER TABLE executions ADD COLUMN ran text NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN ran text NOT NULL DEFAULT '';
