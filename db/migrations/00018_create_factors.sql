-- +goose Up
-- What the account itself knows of a second factor, so that no request has to
-- look further to tell whether one is asked for.
ALTER TABLE account ADD COLUMN factor_at         INTEGER; -- since when there is one; NULL: none
ALTER TABLE account ADD COLUMN factor_asked_at   INTEGER; -- first sign-in without one that the role requires: the grace begins
ALTER TABLE account ADD COLUMN factor_wanted_at  INTEGER; -- the password was right, the second factor has not been given since
ALTER TABLE account ADD COLUMN factor_cleared_at INTEGER; -- by the office; for a time links are only mailed then
ALTER TABLE account ADD COLUMN mailed_at         INTEGER; -- when a password was last set through a link that nobody at the office saw

-- One row for each account with a second factor of any kind.
CREATE TABLE factor (
    account_id    INTEGER PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    app_secret    BLOB,                       -- of the authenticator app, sealed; NULL without one
    app_step      INTEGER NOT NULL DEFAULT 0, -- the last 30 seconds of which a code was taken; none of them or before is taken again
    app_made_at   INTEGER,
    code_key      BLOB    NOT NULL,           -- sealed; the recovery codes are hashed under it
    codes_made_at INTEGER NOT NULL
) STRICT;

CREATE TABLE recovery_code (
    account_id INTEGER NOT NULL REFERENCES factor (account_id) ON DELETE CASCADE,
    hash       BLOB    NOT NULL,
    used_at    INTEGER,
    PRIMARY KEY (account_id, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE passkey (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id       INTEGER NOT NULL REFERENCES factor (account_id) ON DELETE CASCADE,
    credential_id    BLOB    NOT NULL UNIQUE,
    host             TEXT    NOT NULL, -- of the base URL when it was made: browsers offer it there alone
    credential       TEXT    NOT NULL, -- public key, counter and flags, as JSON; nothing in it opens anything
    name             TEXT    NOT NULL, -- of the device, in words
    password_version INTEGER NOT NULL, -- with this password it was last used or made; with another it is a second factor only
    made_at          INTEGER NOT NULL,
    used_at          INTEGER
) STRICT;

CREATE INDEX passkey_by_account ON passkey (account_id, id);

-- +goose Down
DROP TABLE passkey;
DROP TABLE recovery_code;
DROP TABLE factor;
ALTER TABLE account DROP COLUMN mailed_at;
ALTER TABLE account DROP COLUMN factor_cleared_at;
ALTER TABLE account DROP COLUMN factor_wanted_at;
ALTER TABLE account DROP COLUMN factor_asked_at;
ALTER TABLE account DROP COLUMN factor_at;
