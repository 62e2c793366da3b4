package handlers

import (
	"context"
	"net/http"

	"latchkey/db/model"
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
	return p.seenTo(w, r, p.DB.DismissNear, noticeNearSeenTo)
}

func (p *portal) settleNotMe(w http.ResponseWriter, r *http.Request) error {
	return p.seenTo(w, r, p.DB.SettleNotMe, noticeSeenTo)
}

// seenTo takes one row off the page.
func (p *portal) seenTo(w http.ResponseWriter, r *http.Request, put func(ctx context.Context, actor model.Actor, id int64) error, said notice) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	v := visitOf(r)
	if err := put(r.Context(), v.by(), id); err != nil {
		return err
	}
	tell(w, v, said, "")
	return redirect(w, "/admin")
}
