-- +goose Up
-- The session library's own table: hashed cookie value, gob, Julian day.
CREATE TABLE sessions (
    token  TEXT PRIMARY KEY,
    data   BLOB NOT NULL,
    expiry REAL NOT NULL
) STRICT;

CREATE INDEX sessions_by_expiry ON sessions (expiry);

-- What people are shown of their sessions, and what ends them.
CREATE TABLE session (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id   INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    stamp        INTEGER NOT NULL,           -- the account's, when it began
    device       TEXT    NOT NULL,           -- in words
    network      TEXT    NOT NULL,
    kept         INTEGER NOT NULL,           -- 1: "keep me signed in"
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,           -- written at most every 5 minutes
    expires_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX session_by_account ON session (account_id, last_seen_at);
CREATE INDEX session_by_expiry ON session (expires_at);

-- Wrong sign-ins. The key is a keyed hash of the typed login with the network
-- or device, so the table tells nobody who tried what.
CREATE TABLE failure (
    bucket  BLOB    PRIMARY KEY,
    login   BLOB    NOT NULL,    -- keyed hash of the typed login alone: finds all its buckets
    count   INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX failure_by_login ON failure (login);
CREATE INDEX failure_by_time ON failure (last_at);

-- +goose Down
DROP TABLE failure;
DROP TABLE session;
DROP TABLE sessions;
