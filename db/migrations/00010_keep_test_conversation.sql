-- +goose Up
-- What the mail server said while a test letter was handed over. Of other
-- letters its last words are kept and no more.
ALTER TABLE letter_attempt ADD COLUMN conversation TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE letter_attempt DROP COLUMN conversation;
