-- +goose Up
-- A change of an account's email that its holder asked for, until the link in a
-- letter to the new address confirms it. The link itself is nowhere here: its
-- tag is made of the columns marked "frozen" and a key from outside.
CREATE TABLE email_change (
    id               INTEGER PRIMARY KEY AUTOINCREMENT, -- frozen
    account_id       INTEGER NOT NULL,                  -- frozen; no reference: an ended link outlives its account
    selector         BLOB    NOT NULL UNIQUE,           -- frozen; 8 random bytes, the first part of the link
    key_id           TEXT    NOT NULL,                  -- master key the tag is made with
    made_at          INTEGER NOT NULL,                  -- frozen
    expires_at       INTEGER NOT NULL,                  -- frozen
    from_email       TEXT    NOT NULL,                  -- frozen; '' without an address
    to_email         TEXT    NOT NULL,                  -- frozen
    role             TEXT    NOT NULL,                  -- then: with another one the change is void
    password_version INTEGER NOT NULL,                  -- frozen
    salt             BLOB,                              -- of the new address when it was asked for
    password_hash    BLOB,                              -- sealed: the password under that salt; NULL once ended
    asked_at         INTEGER NOT NULL,                  -- newest letter
    ended_at         INTEGER,
    end_reason       TEXT    NOT NULL DEFAULT ''        -- used, replaced, cancelled; expiry needs no row change
) STRICT;

CREATE UNIQUE INDEX email_change_one_unended ON email_change (account_id) WHERE ended_at IS NULL;
CREATE INDEX email_change_used ON email_change (account_id, id) WHERE end_reason = 'used';
CREATE INDEX email_change_by_end ON email_change (ended_at) WHERE ended_at IS NOT NULL;

-- One salt for all accounts at an address, or a sign-in could not compare one
-- hash with all of them. Nothing made another one so far; whoever has one all
-- the same gets that of the first, and needs a link to a new password.
UPDATE account SET password_hash = NULL, password_version = password_version + 1,
    salt = (SELECT o.salt FROM account o WHERE o.email_key = account.email_key ORDER BY o.id LIMIT 1)
WHERE email_key IS NOT NULL
    AND salt <> (SELECT o.salt FROM account o WHERE o.email_key = account.email_key ORDER BY o.id LIMIT 1);

-- +goose StatementBegin
CREATE TRIGGER account_one_salt_when_made BEFORE INSERT ON account
WHEN EXISTS (SELECT 1 FROM account o WHERE o.email_key = NEW.email_key AND o.salt <> NEW.salt)
BEGIN
    SELECT RAISE(ABORT, 'all accounts at an address have one salt');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER account_one_salt_when_changed BEFORE UPDATE OF email_key, salt ON account
WHEN EXISTS (SELECT 1 FROM account o WHERE o.email_key = NEW.email_key AND o.id <> NEW.id AND o.salt <> NEW.salt)
BEGIN
    SELECT RAISE(ABORT, 'all accounts at an address have one salt');
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER account_one_salt_when_changed;
DROP TRIGGER account_one_salt_when_made;
DROP TABLE email_change;
