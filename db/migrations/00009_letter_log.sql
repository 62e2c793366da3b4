-- +goose Up
-- The letter log is read newest first, by state, and its totals are counted
-- from this index alone.
CREATE INDEX letter_by_state ON letter (state, id);

ALTER TABLE letter ADD COLUMN stopped_by INTEGER; -- account of the person of staff who stopped it; NULL: nobody did
ALTER TABLE letter ADD COLUMN copy_of INTEGER;    -- the letter that it says once more

CREATE INDEX letter_by_copy ON letter (copy_of, id) WHERE copy_of IS NOT NULL;

-- +goose Down
DROP INDEX letter_by_copy;
ALTER TABLE letter DROP COLUMN copy_of;
ALTER TABLE letter DROP COLUMN stopped_by;
DROP INDEX letter_by_state;
