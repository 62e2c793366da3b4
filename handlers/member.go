package handlers

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"latchkey/db/model"
	"latchkey/views"
)

// listMembers answers the list, to htmx its changing part; or, asked as=hits,
// the short list below the search in the head.
func (p *portal) listMembers(w http.ResponseWriter, r *http.Request) error {
	told(w, r)
	asked := r.URL.Query()
	q := membersAsked(asked)
	found, err := p.DB.Members(r.Context(), visitOf(r).by(), q)
	if err != nil {
		return err
	}
	page := p.page(r)
	part := views.MembersResult(page, found, q)
	switch {
	case asked.Get("as") == "hits":
		part = views.MemberHits(page, found, q)
	case wantsPart(r):
		// The address bar follows what is typed and chosen, so that reloading and
		// coming back show it again; without the fields that were left empty.
		w.Header().Set(addressHeader(r, q), views.MembersURL(q))
	}
	return p.renderEither(w, r, http.StatusOK, views.MembersPage(page, found, q), part)
}

// membersAsked is what an address of the list asks for.
func membersAsked(asked url.Values) model.MemberQuery {
	return model.MemberQuery{
		Text: searchText(asked.Get("q")), Filter: model.MemberFilter(asked.Get("filter")),
		Status: model.Status(asked.Get("status")), Sort: model.MemberSort(asked.Get("sort")),
		After: asked.Get("after"), Before: asked.Get("before"),
	}.Known()
}

// addressHeader has htmx put an address into the browser's history. What is
// chosen by a press is a step that Back undoes; letters that are typed are none.
func addressHeader(r *http.Request, q model.MemberQuery) string {
	var was model.MemberQuery
	if u, err := url.Parse(r.Header.Get("Hx-Current-Url")); err == nil { // what is no address asks for nothing
		was = membersAsked(u.Query())
	}
	if was.Filter != q.Filter || was.Status != q.Status || was.Sort != q.Sort {
		return "Hx-Push-Url"
	}
	return "Hx-Replace-Url"
}

// searchLimit is more than anybody types to find somebody. A longer text only
// has the database look for hundreds of words.
const searchLimit = 200

// searchText is what was typed as words with one space between them. What else
// parts words here does so in app.js, which compares it with an answer's
// data-sought: JavaScript counts U+FEFF, the byte order mark, as a space.
func searchText(s string) string {
	words := strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\ufeff'
	})
	text := []rune(strings.Join(words, " "))
	return strings.TrimSpace(string(text[:min(len(text), searchLimit)]))
}

// pathID reads the id in the path. What is no id is nobody's.
func pathID(r *http.Request) (int64, error) {
	text := r.PathValue("id")
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != text {
		return 0, errNoPage
	}
	return id, nil
}

func memberPath(id int64) string { return "/admin/members/" + strconv.FormatInt(id, 10) }

func (p *portal) showMember(w http.ResponseWriter, r *http.Request) error {
	told(w, r)
	id, err := pathID(r)
	if err != nil {
		return err
	}
	m, a, err := p.DB.Member(r.Context(), visitOf(r).by(), id)
	if err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, views.MemberPage(p.page(r), views.MemberProps{Member: m, Account: a}))
}

func (p *portal) showMemberActivity(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	asked := r.URL.Query()
	page, line := p.DB.Activity, count(asked.Get("before")) // anything else begins at the newest
	if after := count(asked.Get("after")); after > 0 {
		page, line = p.DB.ActivityAfter, after
	}
	a, err := page(r.Context(), visitOf(r).by(), id, line)
	if err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, views.MemberActivityPage(p.page(r), a))
}

func (p *portal) newMember(w http.ResponseWriter, r *http.Request) error {
	return p.render(w, r, http.StatusOK, views.MemberNewPage(p.page(r), views.Form{}))
}

func (p *portal) addMember(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	id, err := p.DB.AddMember(r.Context(), v.by(), typedMember(r.PostForm))
	if fields, sentence, ok := fieldsOf(err); ok {
		f := views.Form{Values: typed(r.PostForm), Errors: fields, Sentence: sentence}
		return p.render(w, r, http.StatusUnprocessableEntity, views.MemberNewPage(p.page(r), f))
	}
	if err != nil {
		return err
	}
	tell(w, v, noticeMemberAdded, "")
	return redirect(w, memberPath(id))
}

func (p *portal) changeMember(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	v, m := visitOf(r), typedMember(r.PostForm)
	m.ID = id
	m.Version, _ = strconv.ParseInt(r.PostForm.Get("version"), 10, 64) // no version is an old one
	err = p.DB.ChangeMember(r.Context(), v.by(), m)
	stale, isStale := errors.AsType[*model.StaleError](err)
	fields, sentence, isInvalid := fieldsOf(err)
	if isStale || isInvalid {
		was, a, err := p.DB.Member(r.Context(), v.by(), id)
		if err != nil {
			return err
		}
		was.Version = m.Version // of the form as it was opened: a refused save must not make it pass for new
		values := typed(r.PostForm)
		if isStale {
			takeOver(stale, values)
		}
		return p.render(w, r, http.StatusUnprocessableEntity, views.MemberPage(p.page(r), views.MemberProps{
			Member: was, Account: a, Stale: stale,
			Form: views.Form{Values: values, Errors: fields, Sentence: sentence},
		}))
	}
	if err != nil {
		return err
	}
	tell(w, v, noticeSaved, "")
	return redirect(w, memberPath(id))
}

// takeOver puts into a form what somebody else saved and this person left
// alone, and leaves of the error's fields those that the other changed. Without
// what the form began with, nobody can tell the two apart; then all stay.
func takeOver(stale *model.StaleError, values map[string]string) {
	var was map[string]string
	if err := json.Unmarshal([]byte(values["was"]), &was); err != nil {
		return
	}
	theirs := views.MemberValues(stale.Theirs)
	stale.Fields = nil
	for _, f := range model.MemberFields {
		if theirs[f.Name] == was[f.Name] {
			continue
		}
		stale.Fields = append(stale.Fields, f.Name)
		// A browser sends line breaks of its own.
		if strings.TrimSpace(strings.ReplaceAll(values[f.Name], "\r\n", "\n")) == was[f.Name] {
			values[f.Name] = theirs[f.Name]
		}
	}
}

func typedMember(form url.Values) model.Member {
	var m model.Member
	for _, f := range model.MemberFields {
		f.Set(&m, form.Get(f.Name))
	}
	return m
}

// typed is what a form sent, to show it again. Passwords never come back:
// they would stand in the page's source, and in its copy on disk. A mail
// server's address comes back without the one it may hold, or not at all where
// it cannot be read.
func typed(form url.Values) map[string]string {
	values := map[string]string{}
	for name := range form {
		if !strings.Contains(name, "password") || name == "min_password_length" || name == "password_reminder" {
			values[name] = form.Get(name)
		}
	}
	return values
}
