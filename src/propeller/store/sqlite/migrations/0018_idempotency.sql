-- Commands that were carried out under a client's key: written with the command, and the answer soon after.
CREATE TABLE idempotency_keys (
  key TEXT NOT NULL PRIMARY KEY,
  fingerprint BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  task_ids TEXT NOT NULL,
  status INTEGER,
  location TEXT,
  answer BLOB
) STRICT;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
