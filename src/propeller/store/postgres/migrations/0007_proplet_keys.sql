-- oldest: 1
-- The public keys of proplets that joined with a token: each proplet has one for good, and each token is used once.
CREATE TABLE proplet_keys (
  proplet_id text COLLATE "C" PRIMARY KEY,
  public_key text NOT NULL,         -- Ed25519, in base64 for URLs without padding
  token_id   text COLLATE "C" NOT NULL UNIQUE,
  bound_at   bigint NOT NULL        -- ns since 1970
);
