-- +goose Up
-- The outbox. A row says what to tell whom, never a link or a code: those are
-- put in as the letter leaves.
CREATE TABLE letter (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    kind             TEXT    NOT NULL,
    template_version INTEGER NOT NULL DEFAULT 0,  -- 0: the original
    to_email         TEXT    NOT NULL,
    to_key           TEXT    NOT NULL,            -- lower-cased
    message_id       TEXT    NOT NULL UNIQUE,     -- the same over all attempts
    priority         INTEGER NOT NULL,            -- lower leaves first
    state            TEXT    NOT NULL,
    asked_kind       TEXT    NOT NULL,            -- person, member, automatic, shell
    asked_by         INTEGER,                     -- account of the person of staff
    facts            TEXT    NOT NULL DEFAULT '{}', -- JSON: what the letter says besides names and links
    created_at       INTEGER NOT NULL,
    due_at           INTEGER NOT NULL,
    settled_at       INTEGER,
    attempts         INTEGER NOT NULL DEFAULT 0,
    code             INTEGER NOT NULL DEFAULT 0,  -- SMTP code of the last answer
    reply            TEXT    NOT NULL DEFAULT ''  -- the server's words
) STRICT;

CREATE INDEX letter_due ON letter (priority, due_at, id) WHERE state IN ('waiting', 'retrying');
CREATE INDEX letter_under_way ON letter (id) WHERE state = 'sending';
CREATE INDEX letter_by_address ON letter (to_key, kind, created_at);
CREATE INDEX letter_by_kind ON letter (kind, created_at);
CREATE INDEX letter_by_time ON letter (created_at, id);

-- Whom and which link a letter is about: several for a household, one letter
-- after another for a link that is sent again.
CREATE TABLE letter_subject (
    letter_id  INTEGER NOT NULL REFERENCES letter (id) ON DELETE CASCADE,
    account_id INTEGER NOT NULL,
    reset_id   INTEGER,
    PRIMARY KEY (letter_id, account_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX letter_subject_by_account ON letter_subject (account_id, letter_id);
CREATE INDEX letter_subject_by_reset ON letter_subject (reset_id, letter_id) WHERE reset_id IS NOT NULL;

CREATE TABLE letter_attempt (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    letter_id  INTEGER NOT NULL REFERENCES letter (id) ON DELETE CASCADE,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,                     -- NULL: the portal stopped in the middle
    code       INTEGER NOT NULL DEFAULT 0,
    reply      TEXT    NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX letter_attempt_by_letter ON letter_attempt (letter_id, id);

-- +goose Down
DROP TABLE letter_attempt;
DROP TABLE letter_subject;
DROP TABLE letter;
