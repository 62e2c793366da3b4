-- +goose Up
-- Addresses that were typed into "Forgot password?", are nobody's, and nearly
-- are a member's: the office sees which one they meant. Nothing else that was
-- typed is kept, and these for 30 days.
CREATE TABLE near_login (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    typed     TEXT    NOT NULL,                   -- lower-cased
    member_id INTEGER NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    at        INTEGER NOT NULL,                   -- the newest time
    UNIQUE (member_id, typed)
) STRICT;

CREATE INDEX near_login_by_member ON near_login (member_id, at);
CREATE INDEX near_login_by_time ON near_login (at);

-- Invitations that nobody finished are found by the age of their link.
CREATE INDEX reset_unended_by_age ON reset (asked_at, expires_at, account_id) WHERE ended_at IS NULL;

-- +goose Down
DROP INDEX reset_unended_by_age;
DROP TABLE near_login;
