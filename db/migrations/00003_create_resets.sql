-- +goose Up
-- The link itself is nowhere in the database: its tag is made of the columns
-- marked "frozen" and a key from outside, each time it is needed.
CREATE TABLE reset (
    id               INTEGER PRIMARY KEY AUTOINCREMENT, -- frozen
    account_id       INTEGER NOT NULL,                  -- frozen; no reference: an ended link outlives its account
    selector         BLOB    NOT NULL UNIQUE,           -- frozen; 8 random bytes, the first part of the link
    key_id           TEXT    NOT NULL,                  -- master key the tag is made with
    made_at          INTEGER NOT NULL,                  -- frozen
    expires_at       INTEGER NOT NULL,                  -- frozen
    email            TEXT    NOT NULL,                  -- frozen; '' without an address
    password_version INTEGER NOT NULL,                  -- frozen
    resend_until     INTEGER NOT NULL,                  -- until then a request mails the same link again
    mailed_only      INTEGER NOT NULL DEFAULT 0,        -- 1: nobody in the office may see it
    asked_at         INTEGER NOT NULL,                  -- newest request
    asked_kind       TEXT    NOT NULL,                  -- person, member, automatic, shell
    asked_by         INTEGER,                           -- account of the person of staff
    asked_name       TEXT    NOT NULL DEFAULT '',       -- their name then: a later one could be somebody else's
    for_new          INTEGER NOT NULL DEFAULT 0,        -- 1: the newest request was Create User
    opened_at        INTEGER,                           -- first opening, perhaps by a mail scanner
    ended_at         INTEGER,
    end_reason       TEXT    NOT NULL DEFAULT ''        -- used, replaced, cancelled; expiry needs no row change
) STRICT;

CREATE UNIQUE INDEX reset_one_unended ON reset (account_id) WHERE ended_at IS NULL;
CREATE INDEX reset_by_account ON reset (account_id, id);

-- Who at the office had a link on screen: one row per link and person,
-- written before the page leaves.
CREATE TABLE reset_shown (
    reset_id   INTEGER NOT NULL REFERENCES reset (id) ON DELETE CASCADE,
    account_id INTEGER NOT NULL,
    name       TEXT    NOT NULL,  -- then: accounts go and names change
    shown_at   INTEGER NOT NULL,
    PRIMARY KEY (reset_id, account_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX reset_shown_by_account ON reset_shown (account_id);

-- What was typed into "Forgot password?", one identical row whatever it was;
-- it is looked up outside the request. What was typed is emptied once done.
CREATE TABLE intake (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    typed   TEXT    NOT NULL,
    network BLOB    NOT NULL,            -- keyed hash of the client's network
    made_at INTEGER NOT NULL,
    done_at INTEGER,
    outcome TEXT    NOT NULL DEFAULT '', -- known, joined, unknown, refused
    joined  INTEGER NOT NULL DEFAULT 0   -- accounts made from the roll
) STRICT;

CREATE INDEX intake_to_do ON intake (id) WHERE done_at IS NULL;
CREATE INDEX intake_by_network ON intake (network, made_at);
CREATE INDEX intake_by_outcome ON intake (outcome, made_at);

-- +goose Down
DROP TABLE intake;
DROP TABLE reset_shown;
DROP TABLE reset;
