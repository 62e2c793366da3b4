package views

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/a-h/templ"
)

// framed puts what a template stands around between what is drawn before and
// after it.
func framed(p Page, before, after func(ink *pen)) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		inside := templ.GetChildren(ctx)
		if err := drawn(p, before).Render(ctx, w); err != nil {
			return err
		}
		if err := inside.Render(templ.ClearChildren(ctx), w); err != nil {
			return err
		}
		return drawn(p, after).Render(ctx, w)
	})
}

// document is the frame of every page. Nothing in it is inline and nothing
// comes from elsewhere: the Content-Security-Policy forbids both.
func document(p Page, title string, members bool) templ.Component {
	return framed(p, func(ink *pen) { ink.openDocument(title, members) }, (*pen).closeDocument)
}

func (ink *pen) openDocument(title string, members bool) {
	p := ink.page
	ink.raw(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>`)
	ink.text(p.title(title))
	ink.raw(`</title><meta name="htmx-config" content="includeIndicatorCSS:false">`,
		`<link rel="icon" href="`, p.asset("favicon.svg"), `" type="image/svg+xml">`,
		`<link rel="apple-touch-icon" href="`, p.asset("touch-icon.png"), `">`)
	ink.style(p.asset("app.css"))
	if members && p.Settings.Colour != "" {
		ink.style(p.brand())
	}
	if !members {
		ink.script(p.asset("htmx-4.0.1.min.js"))
	}
	ink.script(p.asset("app.js"))
	if members {
		ink.raw(`</head><body class="member">`)
	} else {
		ink.raw(`</head><body class="staff">`)
	}
}

func (ink *pen) closeDocument() {
	ink.raw(`<p id="said" class="unseen" role="status"></p></body></html>`)
}

// office is the frame of the staff's pages.
func office(p Page, title string) templ.Component { return desk(p, title, true) }

// desk is office, with the search in its head or without: the members list
// has its own.
func desk(p Page, title string, search bool) templ.Component {
	return framed(p, func(ink *pen) { ink.openDesk(title, search) }, (*pen).closeDesk)
}

func (ink *pen) openDesk(title string, search bool) {
	ink.openDocument(title, false)
	ink.raw(`<a class="skip" href="#main">Skip to content</a><header class="bar">`)
	ink.signboard()
	if search {
		ink.raw(string(theFinder()))
	}
	ink.whoIsIn()
	ink.raw(`</header><main id="main"><p id="unreached" class="said bad" hidden>That did not reach the server. Check the connection and try again.</p>`)
	if ink.page.Notice != "" {
		ink.raw(`<p class="said" role="status">`)
		ink.text(ink.page.Notice)
		ink.raw("</p>")
	}
	ink.factorNotice()
}

func (ink *pen) closeDesk() {
	ink.raw("</main>")
	if ink.page.Demo {
		ink.raw(`<footer><p class="demo-line"><a href="/demo/letters">Letters of this demonstration</a></p></footer>`)
	}
	ink.closeDocument()
}

// theFinder is the same on every page.
var theFinder = sync.OnceValue(func() piece {
	var b strings.Builder
	if err := finder().Render(context.Background(), &b); err != nil {
		return "" // a builder takes everything
	}
	return piece(b.String())
})

func (ink *pen) style(url string) {
	ink.raw(`<link rel="stylesheet" href="`)
	ink.text(url)
	ink.raw(`">`)
}

func (ink *pen) script(url string) {
	ink.raw(`<script src="`)
	ink.text(url)
	ink.raw(`" defer></script>`)
}

// signboard is the association's name and the ways into the office.
func (ink *pen) signboard() {
	ink.raw(`<a class="home name" href="/admin">`, string(keyMark))
	ink.text(ink.page.association())
	ink.raw(`</a> <nav aria-label="Main"><ul>`)
	ink.link("/admin", "Today", ink.page.Path == "/admin")
	ink.way("/admin/members", "Members")
	ink.way("/admin/letters", "Letters")
	if ink.page.mayOwn() {
		ink.way("/admin/staff", "Staff")
		ink.way("/admin/settings", "Settings", "/admin/templates", "/admin/audit")
	}
	ink.raw(`</ul></nav>`)
}

// way is one of the ways into the office. The pages below others belong to it
// as well.
func (ink *pen) way(href, text string, others ...string) {
	below := func(part string) bool { return strings.HasPrefix(ink.page.Path, part) }
	ink.link(href, text, below(href) || slices.ContainsFunc(others, below))
}

// link is one of a list of ways on; the one that leads here says so.
func (ink *pen) link(href, text string, here bool) {
	ink.raw(`<li><a href="`, href, `"`)
	if here {
		ink.raw(` aria-current="page"`)
	}
	ink.raw(">", text, "</a></li>")
}

// whoIsIn is who is signed in, and the way out.
func (ink *pen) whoIsIn() {
	ink.raw(`<details class="me"><summary>`)
	ink.text(ink.page.Actor.Name)
	ink.raw(`</summary><div><p class="soft">`, roleName(ink.page.Actor.Role), `</p><a href="/account">Your account</a>`,
		`<form method="post" action="/sign-out"><button>Sign out</button></form></div></details>`)
}

// keyMark is the mark.
const keyMark piece = `<svg class="key" viewBox="0 0 48 24" aria-hidden="true"><path fill-rule="evenodd" d="M11 2a10 10 0 0 1 9.6 7.2h.9v-.8h2.6v.9h20.7a2.7 2.7 0 0 1 0 5.4H44v5.6h-3.2v-2.6h-2.4v4h-4.2v-7H24.1v.9h-2.6v-.8h-.9A10 10 0 1 1 11 2ZM8.4 7.8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 0 0 0-8.4Z"></path></svg>`

func key() templ.Component { return keyMark }

// icon draws one of the few Lucide icons (https://lucide.dev, ISC licence).
// It never stands alone: words beside it say the same.
func icon(name string) templ.Component { return icons[name] }

var icons = map[string]piece{
	"search": outline("search", "m21 21-4.34-4.34M19 11a8 8 0 1 1-16 0 8 8 0 0 1 16 0"),
	"copy":   outline("copy", "M10 8h10a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H10a2 2 0 0 1-2-2V10a2 2 0 0 1 2-2M4 16c-1.1 0-2-.9-2-2V4c0-1.1.9-2 2-2h10c1.1 0 2 .9 2 2"),
	"done":   outline("done", "M20 6 9 17l-5-5"),
	"alert":  outline("alert", "m21.73 18-8-14a2 2 0 0 0-3.48 0l-8 14A2 2 0 0 0 4 21h16a2 2 0 0 0 1.73-3M12 9v4M12 17h.01"),
}

func outline(class, path string) piece {
	return piece(`<svg class="icon ` + class + `" viewBox="0 0 24 24" aria-hidden="true"><path d="` + path + `"></path></svg>`)
}
