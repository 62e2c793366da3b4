-- +goose Up
-- A letter that was accepted may come back: its state is "bounced" then.
ALTER TABLE letter ADD COLUMN delayed_at INTEGER; -- when a server on its way said that it waits there

DROP INDEX letter_failed; -- letter_by_state does as well, and for both

-- +goose Down
UPDATE letter SET state = 'failed' WHERE state = 'bounced'; -- the program of before knows no other word for it
CREATE INDEX letter_failed ON letter (id) WHERE state = 'failed';
ALTER TABLE letter DROP COLUMN delayed_at;
