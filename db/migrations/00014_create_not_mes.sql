-- +goose Up
-- "It wasn't me": who got a link said that they had not asked for it. One row
-- for each link, from the first time it was said.
CREATE TABLE not_me (
    reset_id   INTEGER PRIMARY KEY, -- no reference: see reset.account_id
    account_id INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    used       INTEGER NOT NULL,    -- 1: a password had been set through the link
    settled_at INTEGER,             -- NULL: the office has not looked into it yet
    settled_by INTEGER              -- account of the person of staff
) STRICT;

CREATE INDEX not_me_open ON not_me (at, reset_id) WHERE settled_at IS NULL;

-- The fifth failure to sign in waits in the same row as a forgotten password.
ALTER TABLE intake ADD COLUMN kind TEXT NOT NULL DEFAULT 'forgot'; -- forgot, trouble

-- +goose Down
ALTER TABLE intake DROP COLUMN kind;
DROP INDEX not_me_open;
DROP TABLE not_me;
