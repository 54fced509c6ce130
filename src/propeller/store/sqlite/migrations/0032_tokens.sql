-- Tokens, and sessions of the page, which are begun with one. Of a secret only its hash is kept.
CREATE TABLE tokens (
  id           TEXT PRIMARY KEY,
  kind         TEXT NOT NULL,     -- token or session
  parent       TEXT NOT NULL,     -- of a session: id of the token that it was begun with; '' for none
  name         TEXT NOT NULL,
  role         TEXT NOT NULL,
  namespaces   TEXT,              -- a list as JSON; NULL for all
  digest       TEXT NOT NULL,     -- SHA-256 of the secret, in hex
  created_by   TEXT NOT NULL,
  created_at   INTEGER NOT NULL,  -- this and the next are ns since 1970
  expires_at   INTEGER NOT NULL,  -- 0 for never
  last_used_at INTEGER NOT NULL,  -- 0 for never
  revoked_at   INTEGER NOT NULL   -- 0 while it is not
);
