package model_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"latchkey/db/model"
)

// noon is the moment most of these tests begin at.
var noon = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)

// ruth is a member with an account that has nothing unusual about it.
func ruth() model.Account {
	return model.Account{
		ID: 7, MemberID: 21, Name: "Ruth Adler", MemberNo: "M-21", Email: "ruth@example.org",
		Role: model.RoleMember, HasPassword: true, PasswordVersion: 3, SessionStamp: 2,
		CreatedAt: noon.AddDate(-1, 0, 0),
	}
}

func TestAnErrorKeepsItsKindHoweverItIsWrapped(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want model.Kind
	}{
		{"a field", model.Invalid("email", "No."), model.KindInvalid},
		{"not found", model.NotFound("No."), model.KindNotFound},
		{"forbidden", model.Forbidden("No."), model.KindForbidden},
		{"conflict", model.Conflict("No."), model.KindConflict},
		{"limited", model.Limited("No.", time.Second), model.KindLimited},
		{"unavailable", model.Unavailable("No.", time.Second), model.KindUnavailable},
		{"anything else", errors.New("disk full"), model.KindInternal},
		{"nothing", nil, model.KindInternal},
	}
	for _, tt := range tests {
		if got := model.KindOf(tt.err); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
		if got := model.KindOf(fmt.Errorf("send: %w", errors.Join(errors.New("first"), tt.err))); got != tt.want {
			t.Errorf("%s, wrapped: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestAnErrorSaysWhenToTryAgain(t *testing.T) {
	for _, err := range []error{model.Limited("Wait.", 8*time.Second), model.Unavailable("Wait.", 8*time.Second)} {
		e, ok := errors.AsType[*model.Error](err)
		if !ok || e.RetryAfter != 8*time.Second || e.Sentence != "Wait." {
			t.Errorf("got %#v", err)
		}
	}
}

func TestTheFirstSentenceOfAFieldStays(t *testing.T) {
	f := model.Fields{}
	if err := f.Err(); err != nil {
		t.Errorf("nothing to say, yet %v", err)
	}
	f.Add("email", "")
	if len(f) != 0 {
		t.Errorf("an empty sentence was noted: %v", f)
	}
	f.Add("email", "First.")
	f.Add("email", "Second.")
	f.Add("city", "Too long.")
	if f["email"] != "First." {
		t.Errorf("got %q", f["email"])
	}
	err := f.Err()
	if model.KindOf(err) != model.KindInvalid || err.Error() != "Please check what is marked below. (city, email)" {
		t.Errorf("got %v", err)
	}
}

func TestInvalidWithoutASentenceIsStillAnError(t *testing.T) {
	if err := model.Invalid("email", "No."); err == nil || !strings.Contains(err.Error(), "email") {
		t.Errorf("got %v", err)
	}
	if got := model.NotFound("No such record.").Error(); got != "No such record." {
		t.Errorf("got %q", got)
	}
}

const hush = "k7mqpwx2n5vtbzr4"

// giveaways are the spellings in which a careless verb could let hush out.
var giveaways = []string{
	hush, strings.ToUpper(hush), hush[:6], fmt.Sprintf("%x", hush), fmt.Sprintf("%X", hush), fmt.Sprintf("% x", hush),
	fmt.Sprintf("%d", []byte(hush)), fmt.Sprint([]byte(hush)), strings.Trim(fmt.Sprint([]byte(hush)[:4]), "[]"),
	fmt.Sprintf("%o", []byte(hush)[:4]), fmt.Sprintf("%b", []byte(hush)[:4]),
}

func checkHush(t *testing.T, how, out string) {
	t.Helper()
	for _, g := range giveaways {
		if strings.Contains(out, g) {
			t.Errorf("%s gives the secret away: %s", how, out)
			return
		}
	}
}

// holder has a secret in every place where a struct can have one.
type holder struct {
	Open    model.Secret
	closed  model.Secret
	Pointer *model.Secret
	List    []model.Secret
	ByName  map[string]model.Secret
	ByKey   map[model.Secret]string
	Any     any
	inner   struct{ deep model.Secret }
	many    []model.Secret
	pointer *model.Secret
}

func newHolder() holder {
	s := model.NewSecret(hush)
	h := holder{
		Open: s, closed: s, Pointer: &s, List: []model.Secret{s}, ByName: map[string]model.Secret{"a": s},
		ByKey: map[model.Secret]string{s: "a"}, Any: s, many: []model.Secret{s, s}, pointer: &s,
	}
	h.inner.deep = s
	return h
}

type secretError struct{ token model.Secret }

func (e secretError) Error() string { return fmt.Sprintf("the link %v is no good", e.token) }

func TestASecretIsNeverPrinted(t *testing.T) {
	s, h := model.NewSecret(hush), newHolder()
	things := map[string]any{
		"itself": s, "a pointer": &s, "a struct": h, "a pointer to a struct": &h,
		"a list": []any{s, h}, "an array": [2]model.Secret{s, s}, "a map": map[string]any{"x": s},
		"an error": secretError{s}, "a wrapped error": fmt.Errorf("open: %w", secretError{s}),
		"an error about it": fmt.Errorf("open %v: %+v %#v %s %q %x %d", s, s, s, s, s, s, s),
		"a reflected value": reflect.ValueOf(s), "a reflected struct": reflect.ValueOf(h),
		"a reset status":        model.ResetStatus{Link: s},
		"a record":              model.AccountRecord{Status: &model.ResetStatus{Link: s}},
		"a new password":        model.NewPassword{Token: s},
		"a mail server":         model.MailServer{Host: "mail.example.org", Password: s},
		"settings":              model.Settings{Mail: model.MailServer{Password: s}},
		"a letter":              model.LetterContents{Links: []model.LetterLink{{URL: s}}},
		"somebody signed in":    model.SignedIn{Known: s, Ticket: s},
		"an owner just made":    model.OwnerMade{Link: s},
		"a password just set":   model.PasswordSet{Device: s},
		"the answer of a token": model.Choice{Ticket: s},
	}
	verbs := []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "%o", "%b", "%c", "%U", "%t", "%e", "%20v", "%-30.3s", "%+q", "%#q", "%p", "%T", "%w", "%!"}
	for name, thing := range things {
		for _, verb := range verbs {
			checkHush(t, name+" as "+verb, fmt.Sprintf(verb, thing))
		}
		checkHush(t, name+" by Sprint", fmt.Sprint(thing, thing))
		checkHush(t, name+" by Sprintln", fmt.Sprintln(thing))

		for _, source := range []bool{false, true} {
			var text, coded bytes.Buffer
			opts := &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: source}
			for _, l := range []*slog.Logger{slog.New(slog.NewTextHandler(&text, opts)), slog.New(slog.NewJSONHandler(&coded, opts))} {
				l.Info("one", "thing", thing)
				l.With("thing", thing).WithGroup("g").Error("two", slog.Group("h", "thing", thing), slog.Any("more", []any{thing}))
			}
			checkHush(t, name+" in a text log", text.String())
			checkHush(t, name+" in a JSON log", coded.String())
		}

		if out, err := json.Marshal(thing); err == nil {
			checkHush(t, name+" as JSON", string(out))
		}
		if out, err := json.MarshalIndent(map[string]any{"x": thing}, "", " "); err == nil {
			checkHush(t, name+" in a JSON map", string(out))
		}
	}

	// Sessions are kept as gob: it refuses a secret rather than write it.
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(struct{ Open model.Secret }{s}); err == nil {
		t.Error("gob takes a secret")
	}
	checkHush(t, "gob", b.String())
	out, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"x"`
		Open    model.Secret
	}{Open: s})
	if err != nil {
		t.Fatal(err)
	}
	checkHush(t, "XML", string(out))
}

func TestASecretShowsThatItIsOne(t *testing.T) {
	s := model.NewSecret(hush)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, s); got != "[redacted]" {
			t.Errorf("%s gives %q", verb, got)
		}
	}
	if out, err := json.Marshal(map[string]any{"link": s}); err != nil || string(out) != `{"link":"[redacted]"}` {
		t.Errorf("JSON gives %s, %v", out, err)
	}
	if s.String() != "[redacted]" || s.GoString() != "[redacted]" || s.LogValue().String() != "[redacted]" {
		t.Error("a direct call gives something else")
	}
}

func TestASecretIsRevealedToWhoeverAsks(t *testing.T) {
	if got := model.NewSecret(hush).Reveal(); got != hush {
		t.Errorf("got %q", got)
	}
	if model.NewSecret(hush).IsZero() {
		t.Error("a secret is taken for none")
	}
	for _, none := range []model.Secret{{}, model.NewSecret("")} {
		if !none.IsZero() || none.Reveal() != "" || fmt.Sprint(none) != "[redacted]" {
			t.Error("no secret is taken for one")
		}
	}
}
