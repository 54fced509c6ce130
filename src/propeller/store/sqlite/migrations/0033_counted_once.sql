-- Tasks that come are counted, and their metadata is entered, once for a commit by the one who writes them
-- (store/sqlite/counts.py). A trigger for each row cost as much as the row.
DROP TRIGGER tasks_come;
DROP TRIGGER task_blocks_come;
DROP TRIGGER task_metadata_come;
