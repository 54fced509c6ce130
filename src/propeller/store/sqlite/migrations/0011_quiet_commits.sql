-- How many commits made no event: with the newest event they say how much is in the database, so that from outside
-- it can be known whether something is missing (store/mark.py). A commit with events costs nothing more for it.
CREATE TABLE quiet_commits (number INTEGER NOT NULL) STRICT;
INSERT INTO quiet_commits VALUES (0);
