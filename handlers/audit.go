package handlers

import (
	"net/http"

	"latchkey/db/model"
	"latchkey/views"
)

// listAudit answers all that was done, to htmx its changing part.
func (p *portal) listAudit(w http.ResponseWriter, r *http.Request) error {
	asked := r.URL.Query()
	q := model.AuditQuery{
		Text: searchText(asked.Get("q")), MemberID: count(asked.Get("member")), Act: searchText(asked.Get("act")),
		From: searchText(asked.Get("from")), To: searchText(asked.Get("to")),
		Before: count(asked.Get("before")), After: count(asked.Get("after")),
	}
	found, err := p.DB.Audit(r.Context(), visitOf(r).by(), q)
	if err != nil {
		return err
	}
	if wantsPart(r) {
		w.Header().Set("Hx-Replace-Url", views.AuditURL(q))
	}
	page := p.page(r)
	return p.renderEither(w, r, http.StatusOK, views.AuditPage(page, found, q), views.AuditPart(page, found, q))
}
