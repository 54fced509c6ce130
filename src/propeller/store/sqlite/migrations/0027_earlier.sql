-- The runs of one name in the order of their creation, for those who look at earlier ones; most groups have no name.
CREATE INDEX groups_by_name ON groups (kind, name, created_at) WHERE name <> '';
