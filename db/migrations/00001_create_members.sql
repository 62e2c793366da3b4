-- +goose Up
-- Times are Unix seconds, UTC; NULL means "not yet" or "never". Ids are never
-- reused (AUTOINCREMENT): an audit line must not come to mean somebody else.
-- Words such as states and roles have no CHECK lists, because SQLite cannot
-- alter them; the model knows the words.
CREATE TABLE member (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    version         INTEGER NOT NULL DEFAULT 1,  -- grows with each change: a stale form is noticed
    member_no       TEXT    NOT NULL DEFAULT '',
    member_no_key   TEXT    UNIQUE,              -- case-folded; NULL without a number
    first_name      TEXT    NOT NULL DEFAULT '',
    last_name       TEXT    NOT NULL DEFAULT '',
    company         TEXT    NOT NULL DEFAULT '',
    email           TEXT    NOT NULL DEFAULT '', -- contact address; the account's may differ
    email_key       TEXT,                        -- lower-cased; NULL without an address; not unique
    phone           TEXT    NOT NULL DEFAULT '',
    phone_digits    TEXT    NOT NULL DEFAULT '',
    address1        TEXT    NOT NULL DEFAULT '',
    address2        TEXT    NOT NULL DEFAULT '',
    city            TEXT    NOT NULL DEFAULT '',
    region          TEXT    NOT NULL DEFAULT '',
    postcode        TEXT    NOT NULL DEFAULT '',
    country         TEXT    NOT NULL DEFAULT '',
    birth_date      TEXT    NOT NULL DEFAULT '', -- ISO 8601 dates; '' if unknown
    membership_type TEXT    NOT NULL DEFAULT '',
    status          TEXT    NOT NULL,
    joined_on       TEXT    NOT NULL DEFAULT '',
    renews_on       TEXT    NOT NULL DEFAULT '',
    notes           TEXT    NOT NULL DEFAULT '',
    sort_key        TEXT    NOT NULL,            -- folded last and first name: the order of the list
    search          TEXT    NOT NULL,            -- folded words under which the member is found
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX member_by_name ON member (sort_key, id);
CREATE INDEX member_by_email ON member (email_key) WHERE email_key IS NOT NULL;

-- Words are folded and parted in Go, so SQLite's simplest tokenizer is the
-- right one: its own folding would differ from ours.
CREATE VIRTUAL TABLE member_search USING fts4 (content="member", search, tokenize=simple, prefix="1,2,3");

-- +goose StatementBegin
CREATE TRIGGER member_search_before_update BEFORE UPDATE OF search ON member BEGIN
    DELETE FROM member_search WHERE docid = OLD.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER member_search_before_delete BEFORE DELETE ON member BEGIN
    DELETE FROM member_search WHERE docid = OLD.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER member_search_after_update AFTER UPDATE OF search ON member BEGIN
    INSERT INTO member_search (docid, search) VALUES (NEW.id, NEW.search);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER member_search_after_insert AFTER INSERT ON member BEGIN
    INSERT INTO member_search (docid, search) VALUES (NEW.id, NEW.search);
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE member_search;
DROP TABLE member;
