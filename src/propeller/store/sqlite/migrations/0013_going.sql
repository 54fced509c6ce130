-- Workflows, jobs, and tasks of none that have been forgotten, and are not deleted in full yet (store/expiry.py).
CREATE TABLE going (
  id   TEXT PRIMARY KEY,
  kind TEXT NOT NULL
) STRICT, WITHOUT ROWID;
