package handlers

import (
	"net/http"

	"latchkey/db/model"
	"latchkey/views"
)

func (p *portal) showStaff(w http.ResponseWriter, r *http.Request) error {
	told(w, r)
	return p.renderStaff(w, r, http.StatusOK, views.Form{}, "")
}

func (p *portal) renderStaff(w http.ResponseWriter, r *http.Request, status int, f views.Form, refused string) error {
	all, err := p.DB.Colleagues(r.Context(), visitOf(r).by())
	if err != nil {
		return err
	}
	return p.render(w, r, status, views.StaffPage(p.page(r), all, f, refused))
}

func (p *portal) changeStaffRole(w http.ResponseWriter, r *http.Request) error {
	return p.setStaffRole(w, r, model.Role(r.PostForm.Get("role")))
}

// removeStaff takes somebody out of the office. Their account stays a member's.
func (p *portal) removeStaff(w http.ResponseWriter, r *http.Request) error {
	return p.setStaffRole(w, r, model.RoleMember)
}

func (p *portal) setStaffRole(w http.ResponseWriter, r *http.Request, role model.Role) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	v := visitOf(r)
	err = p.DB.SetRole(r.Context(), v.by(), id, role)
	switch model.KindOf(err) {
	case model.KindInvalid, model.KindConflict, model.KindForbidden:
		status, sentence := statusOf(err)
		p.logFailure(r, v, status, err)
		return p.renderStaff(w, r, status, views.Form{}, sentence)
	}
	if err != nil {
		return err
	}
	n := noticeRole
	// Whoever stepped down may not look any more; then nothing waits either.
	if _, a, err := p.DB.Member(r.Context(), v.by(), id); err == nil && a != nil && a.PendingRole != "" {
		n = noticeRoleWaits
	} else if role == model.RoleMember {
		n = noticeRemoved
	}
	tell(w, v, n, "")
	return redirect(w, "/admin/staff")
}

func (p *portal) inviteStaff(w http.ResponseWriter, r *http.Request) error {
	v, form := visitOf(r), r.PostForm
	_, err := p.DB.InviteStaff(r.Context(), v.by(), model.Invite{
		FirstName: form.Get("first_name"), LastName: form.Get("last_name"), Email: form.Get("email"),
		Role: model.Role(form.Get("role")),
	})
	if f, ok := refusedForm(r, err); ok {
		return p.renderStaff(w, r, http.StatusUnprocessableEntity, f, "")
	}
	if err != nil {
		return err
	}
	tell(w, v, noticeInvited, "")
	return redirect(w, "/admin/staff")
}
