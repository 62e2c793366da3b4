package handlers

import (
	"net/http"

	"latchkey/db/model"
	"latchkey/views"
)

func (p *portal) showStaff(w http.ResponseWriter, r *http.Request) error {
	told(w, r)
	return p.renderStaff(w, r, http.StatusOK, views.Form{})
}

func (p *portal) renderStaff(w http.ResponseWriter, r *http.Request, status int, f views.Form) error {
	all, err := p.DB.Staff(r.Context(), visitOf(r).by())
	if err != nil {
		return err
	}
	return p.render(w, r, status, views.StaffPage(p.page(r), all, f))
}

func (p *portal) inviteStaff(w http.ResponseWriter, r *http.Request) error {
	v, form := visitOf(r), r.PostForm
	_, err := p.DB.InviteStaff(r.Context(), v.by(), model.Invite{
		FirstName: form.Get("first_name"), LastName: form.Get("last_name"), Email: form.Get("email"),
		Role: model.Role(form.Get("role")),
	})
	if f, ok := refusedForm(r, err); ok {
		return p.renderStaff(w, r, http.StatusUnprocessableEntity, f)
	}
	if err != nil {
		return err
	}
	tell(w, v, noticeInvited, "")
	return redirect(w, "/admin/staff")
}
