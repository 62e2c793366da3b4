package views

import (
	"strconv"

	"github.com/a-h/templ"
	"rsc.io/qr"

	"latchkey/db/model"
)

// quietZone is the white border of a QR code, in squares (ISO/IEC 18004 asks for
// four).
const quietZone = 4

// qrCode draws a text: one path, black on white in dark mode too,
// because cameras want it so. Drawn here and not fetched, as the policy of the
// pages allows no picture from a data: address. Whoever does not see it has the
// same in letters below.
func qrCode(text string) templ.Component {
	return drawn(Page{}, func(ink *pen) {
		code, err := qr.Encode(text, qr.M)
		if err != nil {
			return // too long for a picture: the key in letters stands below
		}
		side := strconv.Itoa(code.Size + 2*quietZone)
		ink.raw(`<svg class="qr" aria-hidden="true" viewBox="0 0 `, side, ` `, side, `" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h`, side, `v`, side, `H0z"></path><path fill="#000" d="`)
		for y := range code.Size {
			for x := 0; x < code.Size; x++ {
				n := 0
				for code.Black(x+n, y) {
					n++
				}
				if n > 0 {
					ink.raw("M", strconv.Itoa(x+quietZone), " ", strconv.Itoa(y+quietZone), "h", strconv.Itoa(n), "v1h-", strconv.Itoa(n), "z")
				}
				x += n
			}
		}
		ink.raw(`"></path></svg>`)
	})
}

// factorFact is the second factor among the facts of an account.
func (ink *pen) factorFact(r *model.AccountRecord) {
	ink.raw("<div><dt>Second step</dt><dd>")
	a := r.Account
	switch {
	case a.HasFactor():
		ink.text(capital(r.Factors.Words()))
		ink.raw(` <span class="soft">since <span>`)
		ink.moment(a.Factor.At)
		ink.raw("</span></span>")
	case !r.FactorDue.IsZero():
		ink.raw(`None. <span class="soft">They need one: there is time until <span>`)
		ink.clock(r.FactorDue, ink.page.until(r.FactorDue))
		ink.raw("</span></span>")
	default:
		ink.raw("None")
	}
	if a.LinksOnlyMailed(ink.page.Now) {
		ink.raw(`<p class="soft">Cleared <span>`)
		ink.moment(a.Factor.ClearedAt)
		ink.raw("</span>. For three days from then, links go by letter only and nobody here sees them.</p>")
	}
	ink.raw("</dd></div>")
}

// clearFactor asks before the second factor of an account is cleared.
func (ink *pen) clearFactor(r *model.AccountRecord) {
	if !r.Account.HasFactor() {
		return
	}
	ink.openAsk(r.Member.ID, "/two-factor/clear", "Clear second step",
		"For somebody who lost their telephone and their recovery codes. Make sure that it is them. The password stays, unless somebody here could have seen the link that set it; sessions and an open link end, and a letter tells them. For three days, links go by letter only and the email stays as it is.")
	ink.raw(`<button class="grave">Clear the second step</button>`)
	ink.closeAsk()
}

// factorNotice stands on the first page of the office while somebody who works
// there has no second factor yet.
func (ink *pen) factorNotice() {
	p := ink.page
	if p.FactorDue.IsZero() || p.Path != "/admin" && p.Path != "/admin/members" {
		return
	}
	ink.raw(`<p class="said even">You need a second step when you sign in. There is time to set one up until <span>`)
	ink.clock(p.FactorDue, p.until(p.FactorDue))
	ink.raw(`</span>. <a href="/account/two-factor">Set it up</a></p>`)
}
