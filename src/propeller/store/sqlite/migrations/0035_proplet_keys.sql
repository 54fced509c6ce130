-- The public keys of proplets that joined with a token: each proplet has one for good, and each token is used once.
CREATE TABLE proplet_keys (
  proplet_id TEXT PRIMARY KEY,
  public_key TEXT NOT NULL,         -- Ed25519, in base64 for URLs without padding
  token_id   TEXT NOT NULL UNIQUE,
  bound_at   INTEGER NOT NULL       -- ns since 1970
);
