-- +goose Up
-- When "It wasn't me" was said of the link after which the second factor was set
-- up; NULL once it was given at a sign-in.
ALTER TABLE account ADD COLUMN factor_doubted_at INTEGER;
-- When the office took the second factor away together with the account: a new
-- account of the same person goes on with it.
ALTER TABLE member ADD COLUMN factor_cleared_at INTEGER;

-- +goose Down
ALTER TABLE member DROP COLUMN factor_cleared_at;
ALTER TABLE account DROP COLUMN factor_doubted_at;
