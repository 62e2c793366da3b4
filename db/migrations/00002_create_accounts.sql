-- +goose Up
CREATE TABLE account (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    member_id        INTEGER NOT NULL UNIQUE REFERENCES member (id),
    email            TEXT    NOT NULL DEFAULT '',
    email_key        TEXT,                        -- lower-cased; NULL without an address; households share one
    role             TEXT    NOT NULL,
    pending_role     TEXT    NOT NULL DEFAULT '', -- a higher role that waits for a password nobody in the office could set
    password_hash    BLOB,                        -- sealed; NULL while no password is set
    password_version INTEGER NOT NULL DEFAULT 0,  -- grows with every change of the password
    password_set_at  INTEGER,
    salt             BLOB    NOT NULL,            -- of the address: accounts that share one share it, so a sign-in costs one hash
    session_stamp    INTEGER NOT NULL DEFAULT 0,  -- sessions with another stamp are over
    disabled_at      INTEGER,
    last_sign_in_at  INTEGER,
    created_at       INTEGER NOT NULL
) STRICT;

CREATE INDEX account_by_email ON account (email_key) WHERE email_key IS NOT NULL;
CREATE INDEX account_in_office ON account (member_id) WHERE role <> 'member' OR pending_role <> '';

-- Addresses a member's accounts had before: "your password was changed" also
-- goes to them for 30 days, so a thief who changed the address first is
-- noticed. They belong to the member: deleting the account and making another
-- one must not be a way around it.
CREATE TABLE former_email (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    member_id INTEGER NOT NULL REFERENCES member (id),
    email     TEXT    NOT NULL,
    left_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX former_email_by_member ON former_email (member_id, left_at);

-- +goose Down
DROP TABLE former_email;
DROP TABLE account;
