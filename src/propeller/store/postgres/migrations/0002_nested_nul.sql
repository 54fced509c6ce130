-- oldest: 1
-- Metadata that is a list or an object is filtered by as JSON says it, also with U+0000 in it.
CREATE OR REPLACE FUNCTION metadata_of(spec text) RETURNS TABLE (key text, value text) LANGUAGE sql IMMUTABLE AS $$
  SELECT m.key, CASE WHEN json_typeof(m.value) = 'string' THEN m.value #>> '{}'
    WHEN strpos(m.value::text, '\u0001') = 0 THEN m.value::text
    ELSE regexp_replace(
      regexp_replace(m.value::text, '(?<!\\)((?:\\\\)*)\\u00010', '\1\\u0000', 'g'),
      '(?<!\\)((?:\\\\)*)\\u00011', '\1\\u0001', 'g'
    ) END
  FROM json_each(CASE WHEN strpos(spec, '"metadata":{') > 0 THEN json_of(spec) -> 'metadata' END) m
$$;
