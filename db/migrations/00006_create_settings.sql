-- +goose Up
CREATE TABLE setting (
    name   TEXT PRIMARY KEY,
    value  TEXT NOT NULL DEFAULT '',
    sealed BLOB                       -- instead of value, for what is secret
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE setting;
