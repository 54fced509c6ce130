-- oldest: 1
-- Tokens, and sessions of the page, which are begun with one. Of a secret only its hash is kept.
CREATE TABLE tokens (
  id           text COLLATE "C" PRIMARY KEY,
  kind         text NOT NULL,    -- token or session
  parent       text NOT NULL,    -- of a session: id of the token that it was begun with; '' for none
  name         text NOT NULL,
  role         text NOT NULL,
  namespaces   text,             -- a list as JSON; NULL for all
  digest       text NOT NULL,    -- SHA-256 of the secret, in hex
  created_by   text NOT NULL,
  created_at   bigint NOT NULL,  -- this and the next are ns since 1970
  expires_at   bigint NOT NULL,  -- 0 for never
  last_used_at bigint NOT NULL,  -- 0 for never
  revoked_at   bigint NOT NULL   -- 0 while it is not
);

-- All managers hear of it at once when a token is made or revoked; not when it was used.
CREATE FUNCTION tokens_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('propeller_tokens', '');
  RETURN NULL;
END $$;
CREATE TRIGGER tokens_change AFTER INSERT OR DELETE OR UPDATE OF revoked_at ON tokens
  FOR EACH STATEMENT EXECUTE FUNCTION tokens_changed();
