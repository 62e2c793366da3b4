-- +goose Up
-- A code finishes the same reset as its link. The one in letters is derived like
-- the link and stored nowhere; of the one that was read out there is a keyed
-- hash.
ALTER TABLE reset ADD COLUMN code_no   INTEGER NOT NULL DEFAULT 0; -- which code the letters carry; 0: none ever did
ALTER TABLE reset ADD COLUMN code_from INTEGER;                    -- when the first letter with it was asked for
ALTER TABLE reset ADD COLUMN spoken    BLOB;                       -- keyed hash of the code that was read out last
ALTER TABLE reset ADD COLUMN spoken_at INTEGER;
ALTER TABLE reset ADD COLUMN spoken_by TEXT NOT NULL DEFAULT '';   -- name then of who read it out

-- Wrong codes. The key is a keyed hash of which code it was about, or of the
-- login if nobody has it, with the client's network where that counts.
CREATE TABLE code_try (
    key     BLOB    PRIMARY KEY,
    count   INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX code_try_by_time ON code_try (last_at);

-- +goose Down
DROP TABLE code_try;
ALTER TABLE reset DROP COLUMN spoken_by;
ALTER TABLE reset DROP COLUMN spoken_at;
ALTER TABLE reset DROP COLUMN spoken;
ALTER TABLE reset DROP COLUMN code_from;
ALTER TABLE reset DROP COLUMN code_no;
