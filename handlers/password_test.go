package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"latchkey/db"
	"latchkey/db/dbtest"
	"latchkey/db/model"
)

const meter = "/password-strength"

// nina is a member whose record says more of her than she can see.
func nina(t *testing.T, s *site) (token string) {
	t.Helper()
	id, err := s.db.AddMember(t.Context(), dbtest.Owner(t, s.db), model.Member{
		FirstName: "Nina", LastName: "Holmberg", Email: "nina@gmail.com", MemberNo: "R-20417", BirthDate: "1971-04-23",
	})
	must0(t, err)
	must0(t, s.db.CreateUser(t.Context(), dbtest.Owner(t, s.db), id, "nina@gmail.com", false))
	return dbtest.Token(t, s.db, id).Reveal()
}

func TestTheMeterSaysWhatTheFormWouldSay(t *testing.T) {
	s := newSite(t)
	token := nina(t, s)
	b := s.browser(t)
	for typed, want := range map[string]string{
		"":                     "",
		"zitronenhut":          "Not yet Please use at least 12 characters; this one has 11.",
		"zitro\u0301nenhut":    "Not yet Please use at least 12 characters; this one has 11.",
		"zitronenhuts":         "Strong Nobody will guess this one.",
		"greenhousetomato":     "Fair It will be taken. One more word would make it much better.",
		"tulip lamp\triver":    "Not yet There is a tab",
		"unbelievable":         "Not yet This is one of the most used passwords",
		"tulip holmberg lamp":  "Not yet Please leave out your own name",
		"tulip 20417 lamp":     "Not yet Please leave out your own name",
		"tulip riverside lamp": "Not yet Please leave out your own name",
		"the gmail lamp tulip": "Strong", // half the world's
		"poiuytrewq-34":        "Not yet Rows of keys",
		strings.Repeat("the quiet lamp, ", 16) + "X": "Not yet Please use at most 256 characters.",
	} {
		a := b.post(meter, "token", token, "password", typed).is(http.StatusOK)
		said := a.text("p + p")
		if got := strings.TrimSpace(a.text("strong") + " " + said); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("of %.40q the meter says %q, not %q", typed, got, want)
		}
		if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Content-Encoding") != "" {
			t.Errorf("the answer may be kept or measured: %v", a.header)
		}
		if !strings.HasPrefix(want, "Not yet") {
			continue
		}
		form := b.follow(b.get("/reset/" + token))
		refused := b.submit(form, `form[action="/reset"]`, "", "password", typed, "password_confirm", typed).is(http.StatusUnprocessableEntity)
		if refused.text("#password-wrong") != said {
			t.Errorf("the meter says %q, the form %q", said, refused.text("#password-wrong"))
		}
	}
}

func TestTheMeterKnowsWhoseFormItIs(t *testing.T) {
	s := newSite(t)
	token := nina(t, s)
	const fourteen, own = "zitronenhutlau", "tulip holmberg lamp"
	stranger := s.browser(t)
	member, _ := s.signedIn(t, "Paul Lind", model.RoleMember)
	staff, _ := s.signedIn(t, "Stina Falk", model.RoleStaff)

	member.post(meter, "password", fourteen).is(http.StatusOK).says("Strong")
	staff.post(meter, "password", fourteen).is(http.StatusOK).says("at least 15 characters; this one has 14")
	member.post(meter, "password", own).is(http.StatusOK).says("Strong")
	// The link in the form decides, as where it is submitted.
	staff.post(meter, "password", fourteen, "token", token).is(http.StatusOK).says("Strong")
	staff.post(meter, "password", own, "token", token).is(http.StatusOK).says("leave out")
	stranger.post(meter, "password", own, "token", token).is(http.StatusOK).says("leave out")

	// Nobody's form is nobody's business.
	for what, a := range map[string]*reply{
		"a stranger":                        stranger.post(meter, "password", own),
		"a stranger with a made-up link":    stranger.post(meter, "password", own, "token", strings.Repeat("a", 40)),
		"a session with a made-up link":     member.post(meter, "password", own, "token", "x"),
		"a stranger who says who they are":  stranger.post(meter, "password", own, "first_name", "Nina", "email", "nina@gmail.com"),
		"a stranger with another's address": stranger.post(meter, "password", own, "username", "nina@gmail.com"),
	} {
		if a.status != http.StatusNoContent || a.body != "" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s is answered %d %q", what, a.status, a.body)
		}
	}
	form := stranger.follow(stranger.get("/reset/" + token))
	stranger.submit(form, `form[action="/reset"]`, "", "password", newPassword, "password_confirm", newPassword).leads("/sign-in")
	stranger.post(meter, "password", own, "token", token).is(http.StatusNoContent)
}

func TestTheMeterAtTheFirstStart(t *testing.T) {
	s := newborn(t)
	b := s.browser(t)
	b.post(meter, "password", "tulip lamp river").is(http.StatusNoContent)
	form := b.follow(b.get("/setup?code=" + setupCode)).is(http.StatusOK)
	if got := form.one("#password-meter").AttrOr("data-sends", ""); got != "password association first_name last_name email" {
		t.Errorf("sent is %q", got)
	}
	b.post(meter, "password", "zitronenhutlau").says("at least 15 characters; this one has 14")
	b.post(meter, "password", "zitronenhutlaub").says("Strong")
	b.post(meter, "password", "tulip adlersen lamp", "last_name", "Adlersen").says("leave out")
	b.post(meter, "password", "tulip rowing lamps", "association", "Riverside Rowing").says("leave out")
}

// The office recognises callers by their birth date. Whoever has found an open
// link or a session must not find it out by trying dates.
func TestTheMeterTellsNobodyABirthDate(t *testing.T) {
	s := newSite(t)
	token := nina(t, s)
	b := s.browser(t)
	yes, no := b.post(meter, "token", token, "password", "tulip lamp 1971 stone"), b.post(meter, "token", token, "password", "tulip lamp 1968 stone")
	if yes.body != no.body || !strings.Contains(yes.body, "Strong") {
		t.Errorf("the meter tells the year: %s", yes.body)
	}
	// Nor does a form that is sent so that it can only be refused.
	form := b.follow(b.get("/reset/" + token))
	try := func(password string) *reply {
		return b.submit(form, `form[action="/reset"]`, "", "password", password, "password_confirm", password+"x").is(http.StatusUnprocessableEntity)
	}
	if got := try("tulip lamp 1971 stone").text("main .wrong"); got != "The two passwords differ. Please type the same one twice." || got != try("tulip lamp 1968 stone").text("main .wrong") {
		t.Errorf("the form tells the year: %q", got)
	}
	b.submit(form, `form[action="/reset"]`, "", "password", "tulip lamp 1971 stone", "password_confirm", "tulip lamp 1971 stone").
		is(http.StatusUnprocessableEntity).says("leave out your own name")
}

func TestTheMeterKeepsNothing(t *testing.T) {
	folder := t.TempDir()
	d, clock := dbtest.OpenIn(t, folder, db.Fixed{Mail: &dbtest.Mail})
	s := serveSite(t, d, clock)
	token := nina(t, s)
	b := s.browser(t)
	member, actor := s.signedIn(t, "Paul Lind", model.RoleMember)
	lines := func() int {
		all, err := d.Activity(t.Context(), model.ShellActor(), actor.MemberID, 0)
		must0(t, err)
		return len(all.Lines)
	}
	before := lines()
	const typed = "Violetgrünhut4711zebra"
	b.post(meter, "token", token, "password", typed).is(http.StatusOK).saysNothingOf(typed)
	member.post(meter, "password", typed).is(http.StatusOK).saysNothingOf(typed)
	b.post(meter, "password", typed)
	if lines() != before {
		t.Error("an audit line was written")
	}
	s.Close()
	if strings.Contains(s.log.String(), "Violet") || strings.Contains(s.log.String(), token) {
		t.Error("it stands in the log")
	}
}

func TestASuggestionIsTakenWithoutScripts(t *testing.T) {
	s := newSite(t)
	token := nina(t, s)
	b := s.browser(t)
	form := b.follow(b.get("/reset/" + token))
	phrase := form.text(".suggest .key-text")
	if strings.Count(phrase, "-") != 4 {
		t.Fatalf("suggested is %q", phrase)
	}
	with := strings.Fields(form.one("[data-suggest]").AttrOr("data-suggest", ""))
	if len(with) != suggestions || with[0] != phrase {
		t.Errorf("with scripts it is %d others", len(with))
	}
	if form.header.Get("Content-Encoding") != "" {
		t.Error("a page with a secret is compressed")
	}
	if again := b.follow(b.get("/reset/" + token)).text(".suggest .key-text"); again == phrase {
		t.Error("the same is suggested twice")
	}
	b.submit(form, `form[action="/reset"]`, "", "password", phrase, "password_confirm", phrase).leads("/sign-in")
	b.signIn("nina@gmail.com", phrase)
	b.get("/account/password").is(http.StatusOK).one("[data-suggest]")
}

func TestAnOwnerIsSuggestedAsManyWordsAsTheyAskFor(t *testing.T) {
	s := newSite(t)
	b := s.owner(t)
	form := b.get("/admin/settings")
	b.submit(form, `form[action="/admin/settings"]`, "", "min_password_length", "64").leads("/admin/settings")
	for _, phrase := range strings.Fields(b.get("/account/password").one("[data-suggest]").AttrOr("data-suggest", "")) {
		if len(phrase) < 64 {
			t.Errorf("%q", phrase)
		}
		b.post(meter, "password", phrase).says("Strong")
	}
}

// What password managers go by (W3C HTML, autofill; ASVS 5.0, 6.2.7).
func TestPasswordManagersFindTheirWay(t *testing.T) {
	s := newSite(t)
	token := nina(t, s)
	b := s.browser(t)
	member, _ := s.signedIn(t, "Paul Lind", model.RoleMember)
	for name, a := range map[string]*reply{
		"username current-password":                           b.get("/sign-in"),
		"username new-password new-password":                  b.follow(b.get("/reset/" + token)),
		"username current-password new-password new-password": member.get("/account/password"),
	} {
		var got []string
		a.doc.Find(`main form[method="post"] input[autocomplete]`).Each(func(_ int, in *goquery.Selection) {
			got = append(got, in.AttrOr("autocomplete", ""))
			for _, bad := range []string{"onpaste", "oncopy", "ondrop", "maxlength", "minlength"} {
				if _, there := in.Attr(bad); there {
					t.Errorf("%s: %s has %s", a.path, in.AttrOr("name", ""), bad)
				}
			}
		})
		if strings.Join(got, " ") != name {
			t.Errorf("%s: %q, not %q", a.path, got, name)
		}
	}
	if got := member.get("/account/password").one("#password").AttrOr("passwordrules", ""); got != "minlength: 12; maxlength: 256; allowed: ascii-printable;" {
		t.Errorf("the rules are %q", got)
	}
	b.signInAfterWellKnown(s)
}

func (b *browser) signInAfterWellKnown(s *site) {
	b.t.Helper()
	dbtest.SignedUp(b.t, s.db, "Well Known", "well@example.org")
	first := b.get("/.well-known/change-password").is(http.StatusFound)
	door := b.get(first.header.Get("Location")).is(http.StatusSeeOther)
	page := b.get(door.header.Get("Location")).is(http.StatusOK)
	b.submit(page, `form[action="/sign-in"]`, "", "login", "well@example.org", "password", dbtest.Password).leads("/account/password")
}

func TestSomebodyIsRemindedOfAnOldPassword(t *testing.T) {
	s := newSite(t)
	owner := s.owner(t)
	const line = "Your password is some time old"
	form := owner.get("/admin/settings").is(http.StatusOK)
	if got := form.text("#password_reminder option[selected]"); got != "Never" {
		t.Errorf("usually it is %q", got)
	}
	owner.submit(form, `form[action="/admin/settings"]`, "", "password_reminder", "61").is(http.StatusUnprocessableEntity).says("Please choose one of these.")
	// What was chosen stays when another field is refused: saving again would else
	// switch it off.
	refused := owner.submit(form, `form[action="/admin/settings"]`, "", "password_reminder", "90", "min_password_length", "5").is(http.StatusUnprocessableEntity)
	if got := refused.text("#password_reminder option[selected]"); got != "90 days" {
		t.Errorf("after a refusal %q is chosen", got)
	}
	owner.submit(form, `form[action="/admin/settings"]`, "", "password_reminder", "60", "factor_owner", string(model.FactorOptional)).leads("/admin/settings")
	if got := owner.get("/admin/settings").text("#password_reminder option[selected]"); got != "60 days" {
		t.Errorf("chosen is %q", got)
	}
	dbtest.SignedUp(t, s.db, "Paul Lind", "paul@example.org")
	dbtest.Person(t, s.db, "Stina Falk", model.RoleStaff)

	s.clock.Add(60*24*time.Hour - time.Second)
	b := s.browser(t)
	b.signIn("paul@example.org", dbtest.Password)
	b.get("/account").is(http.StatusOK).saysNothingOf(line)
	s.clock.Add(time.Second)
	b.get("/account").is(http.StatusOK).says(line)
	office := s.owner(t)
	office.get("/admin").is(http.StatusOK).says(line)

	page := b.get("/account/password").is(http.StatusOK) // nothing is forced
	done := b.submit(page, `form[action="/account/password"]`, "", "current_password", dbtest.Password, "password", newPassword, "password_confirm", newPassword).leads("/account")
	b.follow(done).saysNothingOf(line)
}

func FuzzPasswordMeter(f *testing.F) {
	z := newFuzzed(f)
	token := dbtest.Token(f, z.db, z.members[2]).Reveal()
	f.Add("tulip lamp river stone", "")
	f.Add("\x00\xff\xfe", "x")
	f.Add(strings.Repeat("e\u0301", 3000), token)
	f.Fuzz(func(t *testing.T, typed, with string) {
		for _, as := range []struct{ cookie, token string }{{z.cookie, ""}, {"", token}, {"", with}, {z.cookie, with}} {
			form := url.Values{"password": {typed}, "token": {as.token}}
			r := httptest.NewRequest("POST", meter, strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Cookie", as.cookie)
			w := httptest.NewRecorder()
			z.portal.ServeHTTP(w, r)
			switch w.Code {
			case http.StatusOK, http.StatusNoContent, http.StatusRequestEntityTooLarge:
			default:
				t.Fatalf("%d for %q", w.Code, typed)
			}
			if len(typed) > 20 && strings.Contains(w.Body.String(), typed) {
				t.Fatalf("%q comes back", typed)
			}
		}
	})
}
