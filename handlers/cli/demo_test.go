package cli_test

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"latchkey/db"
	"latchkey/db/model"
)

// demoFolders lists the demonstration's folders in a TMPDIR.
func demoFolders(t *testing.T, tmp string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(tmp, "latchkey-demo-*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// One start serves all of this, because making the histories takes a while
// under the race detector.
func TestDemo(t *testing.T) {
	// Whoever else has the usual port, the demonstration takes the next.
	if l, err := net.Listen("tcp", "127.0.0.1:8080"); err == nil {
		defer l.Close()
	}
	tmp := t.TempDir()
	p := start(t, command(t, []string{"TMPDIR=" + tmp, "LATCHKEY_DATA=" + filepath.Join(tmp, "own")}, "demo"))
	base := p.says(`^    (http://localhost:\d+)$`)
	email := p.says(`^    email +(\S+)$`)
	password := p.says(`^    password +(\S+)$`)
	p.says(`Ctrl\+C ends it`)
	folders := demoFolders(t, tmp)
	if len(folders) != 1 {
		t.Fatalf("folders: %v", folders)
	}

	t.Run("is at a port of its own", func(t *testing.T) {
		if base == "http://localhost:8080" {
			t.Error("it is at a port that is taken")
		}
		if status, _ := get(t, browser(t), base+"/healthz"); status != http.StatusOK {
			t.Errorf("/healthz answers %d", status)
		}
	})
	t.Run("lets its owner sign in", func(t *testing.T) { tourDemo(t, base, email, password) })
	t.Run("has somebody for each trouble of the day", func(t *testing.T) { meetDemo(t, folders[0], base, email, password) })

	p.stop()
	if left := demoFolders(t, tmp); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
	if _, err := os.Stat(filepath.Join(tmp, "own")); !os.IsNotExist(err) {
		t.Errorf("it touched the folder of --data: %v", err)
	}
	if got := p.stderr.String(); got != "" {
		t.Errorf("it logged:\n%s", got)
	}
}

func TestDemoStoppedBeforeItIsReadyLeavesNothingBehind(t *testing.T) {
	tmp := t.TempDir()
	p := start(t, command(t, []string{"TMPDIR=" + tmp}, "demo"))
	eventually(t, "the folder's making", func() bool { return len(demoFolders(t, tmp)) == 1 })
	p.stop()
	if left := demoFolders(t, tmp); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
	if got := p.stderr.String(); got != "" {
		t.Errorf("it said:\n%s", got)
	}
}

func tourDemo(t *testing.T, base, email, password string) {
	b := browser(t)
	status, page, to := post(t, b, base+"/sign-in", url.Values{"login": {email}, "password": {password}})
	if status != http.StatusSeeOther || strings.Contains(to, "sign-in") {
		t.Fatalf("sign-in answers %d and leads to %q:\n%.500s", status, to, page)
	}
	if status, page := get(t, b, base+"/admin/members"); status != http.StatusOK || !strings.Contains(page, "240") {
		t.Errorf("/admin/members answers %d:\n%.500s", status, page)
	}
	if status, page := get(t, b, base+"/admin/members?q=luk"); status != http.StatusOK || !strings.Contains(page, "<mark>Łuk</mark>asz") {
		t.Errorf("the search for luk answers %d:\n%.500s", status, page)
	}
	status, page = get(t, b, base+"/demo/letters")
	if status != http.StatusOK {
		t.Fatalf("/demo/letters answers %d", status)
	}
	letter := regexp.MustCompile(`/demo/letters/\d+`).FindString(page)
	if letter == "" {
		t.Fatalf("no letter in\n%.1000s", page)
	}
	status, page = get(t, b, base+letter)
	link := regexp.MustCompile(regexp.QuoteMeta(base) + `/reset/[a-z2-7]{40}`).FindString(page)
	if status != http.StatusOK || link == "" {
		t.Fatalf("%s answers %d, without a link:\n%.1000s", letter, status, page)
	}
	if status, _ := get(t, browser(t), link); status != http.StatusSeeOther {
		t.Errorf("the link in it answers %d", status)
	}
}

func meetDemo(t *testing.T, folder, base, email, password string) {
	d, err := db.Open(t.Context(), folder, db.Fixed{BaseURL: base, Mail: &model.MailServer{}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()

	in, err := d.SignIn(t.Context(), model.SignIn{Login: email, Password: model.NewSecret(password)})
	if err != nil || in.Account.Role != model.RoleOwner {
		t.Fatalf("signed in as %+v, %v", in.Account, err)
	}
	owner := model.PersonActor(in.Account, "")

	total := func(filter model.MemberFilter) int {
		page, err := d.Members(t.Context(), owner, model.MemberQuery{Filter: filter})
		if err != nil {
			t.Fatal(err)
		}
		return page.Total
	}
	if got := total(model.FilterNone); got != 240 {
		t.Errorf("%d members", got)
	}
	if none, never, staff := total(model.FilterNoAccount), total(model.FilterNeverSignedIn), total(model.FilterStaff); none < 180 || never < 10 || staff != 3 {
		t.Errorf("%d without an account, %d never signed in, %d at the office", none, never, staff)
	}

	record := func(name string) model.AccountRecord {
		page, err := d.Members(t.Context(), owner, model.MemberQuery{Text: name})
		if err != nil || len(page.Rows) != 1 {
			t.Fatalf("%s is found as %v, %v", name, page.Rows, err)
		}
		r, err := d.AccountRecord(t.Context(), owner, page.Rows[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	now := d.Now()
	for _, test := range []struct {
		name string
		want func(r model.AccountRecord) bool
	}{
		{"Łukasz Wiśniewski", func(r model.AccountRecord) bool {
			return r.Account.HasPassword && !r.Account.LastSignInAt.IsZero() && r.Status == nil &&
				r.Factors.Ways() == 0 // the tour ends with a visitor signed in as him
		}},
		{"Gwen Llewellyn", func(r model.AccountRecord) bool {
			return !r.Factors.AppAt.IsZero() && strings.Contains(r.Why.StepText, "clear the second step")
		}},
		{"Hélène Lefèvre", func(r model.AccountRecord) bool { return r.Latest.State(*r.Account, false, now) == model.ResetExpired }},
		{"Niccolò D’Angelo", func(r model.AccountRecord) bool { return r.Latest.EndReason == model.EndCancelled }},
		{"Małgorzata Zielińska", func(r model.AccountRecord) bool {
			return r.Status != nil && !r.Latest.OpenedAt.IsZero() && !r.Account.HasPassword && r.LastLetter.State == model.LetterAccepted
		}},
		{"Delroy Gordon", func(r model.AccountRecord) bool {
			return r.LastLetter.State == model.LetterFailed && r.LastLetter.Code == 550 && strings.Contains(r.LastLetter.Reply, "User unknown")
		}},
		{"Corrado Pellegrini", func(r model.AccountRecord) bool { return r.Account.Disabled() }},
		{"Käthe Strauß", func(r model.AccountRecord) bool {
			return len(r.SharedWith) == 1 && r.SharedWith[0].Name == "Jürgen Groß" && r.LastLetter.Kind == model.LetterResetSeveral
		}},
		{"Folasade Akindele", func(r model.AccountRecord) bool {
			return r.Latest.AskedKind == model.ByMember && r.LastLetter.Kind == model.LetterWelcome && r.LastLetter.State == model.LetterCaptured
		}},
		{"Siobhán O’Brien", func(r model.AccountRecord) bool { return r.Account.Role == model.RoleStaff }},
		{"Anjali Mehta", func(r model.AccountRecord) bool { return r.Account.Role == model.RoleViewer }},
	} {
		if r := record(test.name); r.Account == nil || !test.want(r) {
			t.Errorf("%s: account %+v, link %+v, letter %+v", test.name, r.Account, r.Latest, r.LastLetter)
		}
	}

	needs, err := d.Attention(t.Context(), owner)
	if err != nil || needs.Failing.Total != 1 || needs.Slowed.Total != 1 || needs.Near.Total != 1 || needs.Unfinished.Total < 1 ||
		needs.Near.Rows[0].Person.Name != "Ngozi Okonkwo" || needs.Failing.Rows[0].Person.Name != "Delroy Gordon" {
		t.Errorf("needs attention: %+v, %v", needs, err)
	}

	_, err = d.SignIn(t.Context(), model.SignIn{Login: record("Ayşe Yılmaz").Account.Email, Password: model.NewSecret(password), Network: "203.0.113.0/24"})
	if model.KindOf(err) != model.KindLimited {
		t.Errorf("Ayşe is not slowed: %v", err)
	}
}
