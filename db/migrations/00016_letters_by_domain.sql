-- +goose Up
-- The letter log finds the letters to a domain: one mail server that refuses
-- them all is a common trouble. An address has one @.
CREATE INDEX letter_by_domain ON letter (substr(to_key, instr(to_key, '@') + 1));

-- +goose Down
DROP INDEX letter_by_domain;
