-- +goose Up
-- Read by when, by who did it, by whom it was about and by what was done, each
-- newest first. The act stands in the index so that the lines of one person are
-- sifted there: a busy member of staff has hundreds of thousands.
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_actor ON audit (actor_id, at, act) WHERE actor_id IS NOT NULL;
DROP INDEX audit_by_member;
CREATE INDEX audit_by_member ON audit (member_id, at, act) WHERE member_id IS NOT NULL;

-- Lines go from the oldest end only, and only after the time that owners chose,
-- counted from the newest line; two years while they chose none, never less than
-- one. A slip in the program takes nothing else away. Whoever may write to the
-- file itself can drop a trigger: against them stand the file's rights and its
-- backups.
DROP TRIGGER audit_no_delete;
-- +goose StatementBegin
CREATE TRIGGER audit_only_the_oldest_go BEFORE DELETE ON audit
WHEN OLD.id <> (SELECT min(id) FROM audit)
    OR OLD.at > (SELECT max(at) FROM audit)
        - coalesce((SELECT max(CAST(value AS INTEGER), 31536000) FROM setting WHERE name = 'audit_kept'), 63072000)
BEGIN
    SELECT RAISE(ABORT, 'an audit line goes only when it is the oldest, and after its time');
END;
-- +goose StatementEnd
-- INSERT OR REPLACE deletes without asking the trigger above.
-- +goose StatementBegin
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'an audit line is never replaced');
END;
-- +goose StatementEnd
-- What stands beside a line can be erased and never be rewritten.
-- +goose StatementBegin
CREATE TRIGGER audit_detail_no_rewrite BEFORE UPDATE ON audit_detail
WHEN NEW.audit_id <> OLD.audit_id OR NEW.actor_name NOT IN ('', OLD.actor_name)
    OR NEW.network NOT IN ('', OLD.network) OR NEW.note NOT IN ('', OLD.note)
BEGIN
    SELECT RAISE(ABORT, 'what stands beside an audit line is erased, never rewritten');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_detail_no_afterthought BEFORE INSERT ON audit_detail
WHEN NEW.audit_id <> (SELECT max(id) FROM audit)
BEGIN
    SELECT RAISE(ABORT, 'nothing is put beside an audit line later');
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER audit_detail_no_afterthought;
DROP TRIGGER audit_detail_no_rewrite;
DROP TRIGGER audit_no_replace;
DROP TRIGGER audit_only_the_oldest_go;
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'an audit line is never deleted');
END;
-- +goose StatementEnd
DROP INDEX audit_by_member;
CREATE INDEX audit_by_member ON audit (member_id, id) WHERE member_id IS NOT NULL;
DROP INDEX audit_by_actor;
DROP INDEX audit_by_time;
DELETE FROM setting WHERE name = 'audit_kept';
