package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"latchkey/db/model"
	"latchkey/views"
)

func (p *portal) showAccount(w http.ResponseWriter, r *http.Request) error {
	told(w, r)
	v := visitOf(r)
	waiting, err := p.DB.PendingEmail(r.Context(), v.by())
	if err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, views.AccountPage(p.page(r), v.account, waiting))
}

func (p *portal) showPassword(w http.ResponseWriter, r *http.Request) error {
	return p.renderPassword(w, r, http.StatusOK, views.Form{})
}

func (p *portal) renderPassword(w http.ResponseWriter, r *http.Request, status int, f views.Form) error {
	v := visitOf(r)
	login, err := p.DB.Login(r.Context(), v.account)
	if err != nil {
		return err
	}
	rules, err := p.DB.PasswordRules(r.Context(), v.account)
	if err != nil {
		return err
	}
	return p.render(w, r, status, views.PasswordPage(p.page(r), f, login, choosing(rules)))
}

func (p *portal) changePassword(w http.ResponseWriter, r *http.Request) error {
	v, form := visitOf(r), r.PostForm
	in, err := p.DB.ChangePassword(r.Context(), v.by(), model.PasswordChange{
		SessionID: v.session.ID, Current: model.NewSecret(form.Get("current_password")),
		Password: model.NewSecret(form.Get("password")), Confirm: model.NewSecret(form.Get("password_confirm")),
	})
	if err != nil {
		f, status, ok := mendable(w, err)
		if !ok {
			return err
		}
		return p.renderPassword(w, r, status, f)
	}
	if err := p.begin(w, r, in); err != nil {
		return err
	}
	tell(w, v, noticePasswordChanged, "")
	return redirect(w, "/account")
}

func (p *portal) showMemberSettings(w http.ResponseWriter, r *http.Request) error {
	told(w, r)
	id, err := pathID(r)
	if err != nil {
		return err
	}
	return p.renderMemberSettings(w, r, http.StatusOK, id, views.AccountForm{})
}

// renderMemberSettings shows the Settings tab, or the parts of it that an act
// changed.
func (p *portal) renderMemberSettings(w http.ResponseWriter, r *http.Request, status int, id int64, f views.AccountForm) error {
	record, err := p.DB.AccountRecord(r.Context(), visitOf(r).by(), id)
	if err != nil {
		return err
	}
	return p.renderRecord(w, r, status, record, f)
}

func (p *portal) renderRecord(w http.ResponseWriter, r *http.Request, status int, record model.AccountRecord, f views.AccountForm) error {
	page := p.page(r)
	return p.renderEither(w, r, status, views.MemberSettingsPage(page, record, f), views.MemberSettingsPart(page, record, f))
}

func (p *portal) createUser(w http.ResponseWriter, r *http.Request) error {
	act := p.DB.CreateUser
	if wantsPart(r) {
		act = func(ctx context.Context, actor model.Actor, memberID int64, email string, share bool) error {
			_, err := p.DB.CreateUserOnScreen(ctx, actor, memberID, email, share)
			return err
		}
	}
	return p.actWithEmail(w, r, act, "", false)
}

func (p *portal) changeEmail(w http.ResponseWriter, r *http.Request) error {
	return p.actWithEmail(w, r, p.DB.ChangeEmail, noticeEmailChanged, true)
}

// actWithEmail is an act on an account that a form with an email asks for.
// Refused, the form comes back with what was typed.
func (p *portal) actWithEmail(w http.ResponseWriter, r *http.Request,
	act func(ctx context.Context, actor model.Actor, memberID int64, email string, share bool) error, n notice, changing bool) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	email := r.PostForm.Get("email")
	err = act(r.Context(), visitOf(r).by(), id, email, r.PostForm.Get("share") != "")
	taken, isTaken := errors.AsType[*model.EmailTakenError](err)
	fields, sentence, isInvalid := fieldsOf(err)
	if isTaken || isInvalid {
		return p.renderMemberSettings(w, r, http.StatusUnprocessableEntity, id, views.AccountForm{
			Form:  views.Form{Values: map[string]string{"email": email}, Errors: fields, Sentence: sentence},
			Taken: taken, Changing: changing,
		})
	}
	return p.acted(w, r, id, err, n)
}

// act is an act on an account that one button asks for.
func (p *portal) act(w http.ResponseWriter, r *http.Request,
	do func(ctx context.Context, actor model.Actor, memberID int64) error, n notice) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	return p.acted(w, r, id, do(r.Context(), visitOf(r).by(), id), n)
}

// acted goes back to the Settings tab after an act. What was refused is said
// there too: the person is on the telephone and needs the page, not an error.
func (p *portal) acted(w http.ResponseWriter, r *http.Request, id int64, err error, n notice) error {
	v := visitOf(r)
	switch model.KindOf(err) {
	case model.KindInvalid, model.KindConflict, model.KindForbidden, model.KindLimited:
		status, sentence := statusOf(err)
		p.logFailure(r, v, status, err)
		retryAfter(w.Header(), err)
		return p.renderMemberSettings(w, r, status, id, views.AccountForm{Refused: sentence})
	}
	if err != nil {
		return err
	}
	if wantsPart(r) {
		return p.renderMemberSettings(w, r, http.StatusOK, id, views.AccountForm{})
	}
	if n != "" {
		tell(w, v, n, "")
	}
	return redirect(w, memberPath(id)+"/settings")
}

// sendReset is the press. Where a part of the page answers it, that part shows
// the link.
func (p *portal) sendReset(w http.ResponseWriter, r *http.Request) error {
	if !wantsPart(r) {
		return p.act(w, r, p.DB.SendPasswordReset, "")
	}
	id, err := pathID(r)
	if err != nil {
		return err
	}
	record, err := p.DB.SendPasswordResetOnScreen(r.Context(), visitOf(r).by(), id)
	if err != nil {
		return p.acted(w, r, id, err, "")
	}
	return p.renderRecord(w, r, http.StatusOK, record, views.AccountForm{})
}

func (p *portal) cancelReset(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, p.DB.CancelReset, noticeCancelled)
}

func (p *portal) disable(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, p.DB.Disable, noticeDisabled)
}

func (p *portal) enable(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, p.DB.Enable, noticeEnabled)
}

func (p *portal) deleteAccount(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, p.DB.DeleteAccount, noticeDeleted)
}

func (p *portal) endSessions(w http.ResponseWriter, r *http.Request) error {
	return p.act(w, r, p.DB.EndSessions, noticeSessionsEnded)
}

func (p *portal) setRole(w http.ResponseWriter, r *http.Request) error {
	role := model.Role(r.PostForm.Get("role"))
	id, err := pathID(r)
	if err != nil {
		return err
	}
	by := visitOf(r).by()
	if err := p.DB.SetRole(r.Context(), by, id, role); err != nil {
		return p.acted(w, r, id, err, "")
	}
	n := noticeRole
	// Whoever stepped down may not look any more; then nothing waits either.
	if _, a, err := p.DB.Member(r.Context(), by, id); err == nil && a != nil && a.PendingRole != "" {
		n = noticeRoleWaits
	}
	return p.acted(w, r, id, nil, n)
}

// showLetter answers the poll of the letter's state. It never carries the
// link, so it may come every two seconds.
func (p *portal) showLetter(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	record, err := p.DB.RecordWithoutLink(r.Context(), visitOf(r).by(), id)
	if err != nil {
		return err
	}
	if record.Status == nil {
		return errNothingUnderWay
	}
	return p.render(w, r, http.StatusOK, views.LetterPart(p.page(r), record))
}

var errNothingUnderWay = model.NotFound("There is no link under way any more. Load the page again to see what happened.")

// copiedReset is told by the browser that somebody copied the link.
func (p *portal) copiedReset(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	reset, err := strconv.ParseInt(r.PostForm.Get("reset"), 10, 64)
	if err != nil {
		return errForm
	}
	if err := p.DB.CopiedReset(r.Context(), visitOf(r).by(), id, reset); err != nil {
		return err
	}
	noStore(w.Header())
	w.WriteHeader(http.StatusNoContent)
	return nil
}
