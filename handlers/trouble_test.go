package handlers

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"latchkey/db/dbtest"
)

// question is what a page asks a passkey: random, and another one each time.
var question = regexp.MustCompile(`data-options="[^"]+"|name="passkey_ticket" value="[^"]+"`)

func TestAWrongPasswordFiveTimesAnswersTheSameForEverybody(t *testing.T) {
	s := newSite(t)
	dbtest.SignedUp(t, s.db, "Nina Holm", "nina@example.org")
	dbtest.Deliver(t, s.db)
	b := s.browser(t)
	for range 5 {
		known := b.post("/sign-in", "login", "nina@example.org", "password", "not the one").is(http.StatusUnprocessableEntity)
		unknown := b.post("/sign-in", "login", "nora@example.org", "password", "not the one").is(http.StatusUnprocessableEntity)
		if question.ReplaceAllString(strings.ReplaceAll(known.body, "nina@", "nora@"), "") != question.ReplaceAllString(unknown.body, "") {
			t.Fatal("a login that there is has a page of its own")
		}
	}
	for _, login := range []string{"nina@example.org", "nora@example.org"} {
		b.post("/sign-in", "login", login, "password", "not the one").is(http.StatusTooManyRequests)
	}
	letters := dbtest.Deliver(t, s.db)
	if got := dbtest.Kinds(letters); got != "trouble to nina@example.org" {
		t.Fatalf("letters: %s", got)
	}
	link := strings.TrimPrefix(letters[0].Links[0].URL.Reveal(), "http://localhost:8080")
	form := b.follow(b.get(link)).says("Nina Holm") // never slowed
	b.submit(form, `form[action="/reset"]`, "", "password", newPassword, "password_confirm", newPassword).leads("/sign-in")
}
