-- +goose Up
-- Who did what to whom, when. Lines are never changed or taken back; names
-- and notes stand apart, so that a person can be erased and the line stays.
CREATE TABLE audit (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    act        TEXT    NOT NULL,
    actor_kind TEXT    NOT NULL,
    actor_id   INTEGER,           -- account
    member_id  INTEGER,
    account_id INTEGER,
    reset_id   INTEGER,
    letter_id  INTEGER
) STRICT;

CREATE INDEX audit_by_member ON audit (member_id, id) WHERE member_id IS NOT NULL;

CREATE TABLE audit_detail (
    audit_id   INTEGER PRIMARY KEY REFERENCES audit (id),
    actor_name TEXT NOT NULL DEFAULT '',
    network    TEXT NOT NULL DEFAULT '',
    note       TEXT NOT NULL DEFAULT ''
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'an audit line is never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'an audit line is never deleted');
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE audit_detail;
DROP TABLE audit;
