package handlers

import (
	"net/http"

	"latchkey/views"
)

// showAttention is the staff home.
func (p *portal) showAttention(w http.ResponseWriter, r *http.Request) error {
	told(w, r)
	a, err := p.DB.Attention(r.Context(), visitOf(r).by())
	if err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, views.AttentionPage(p.page(r), a))
}

func (p *portal) dismissNear(w http.ResponseWriter, r *http.Request) error {
	id, err := memberID(r) // a positive number, as there
	if err != nil {
		return err
	}
	v := visitOf(r)
	if err := p.DB.DismissNear(r.Context(), v.by(), id); err != nil {
		return err
	}
	tell(w, v, noticeSeenTo, "")
	return redirect(w, "/admin")
}
