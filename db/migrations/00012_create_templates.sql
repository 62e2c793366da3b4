-- +goose Up
-- What owners wrote for a kind of letter. A row is never changed: letters name
-- the version they were written with, and old ones look as they did. A row
-- without texts says that from then on the original counts again.
CREATE TABLE template (
    kind    TEXT    NOT NULL,
    version INTEGER NOT NULL,              -- from 1; letter.template_version
    subject TEXT    NOT NULL DEFAULT '',
    text    TEXT    NOT NULL DEFAULT '',
    html    TEXT    NOT NULL DEFAULT '',
    made_at INTEGER NOT NULL,
    made_by INTEGER,                       -- account
    PRIMARY KEY (kind, version)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE template;
