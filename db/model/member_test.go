package model_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"latchkey/db/model"
)

// adler is a record with every field filled, already clean.
func adler() model.Member {
	return model.Member{
		ID: 21, Version: 4, MemberNo: "M-21", FirstName: "Ruth", LastName: "Adler", Company: "Adler & Söhne",
		Email: "ruth@example.org", Phone: "+49 171 555", Address1: "Lindenweg 3", Address2: "c/o Klein", City: "Bonn",
		Region: "NRW", Postcode: "53111", Country: "Germany", BirthDate: "1958-03-21", MembershipType: "Full",
		Status: model.StatusActive, JoinedOn: "1999-01-01", RenewsOn: "2027-01-01", Notes: "Plays the oboe.\n\tWell.",
	}
}

func field(t *testing.T, name string) model.MemberField {
	t.Helper()
	for _, f := range model.MemberFields {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no field %s", name)
	return model.MemberField{}
}

func TestTheFieldsAreThoseOfTheContract(t *testing.T) {
	const want = "member_no first_name last_name company email phone address1 address2 city region postcode country birth_date membership_type status joined_on renews_on notes"
	var got []string
	for _, f := range model.MemberFields {
		got = append(got, f.Name)
		if f.Label == "" || f.Max <= 0 {
			t.Errorf("%s has label %q and room for %d", f.Name, f.Label, f.Max)
		}
	}
	if strings.Join(got, " ") != want {
		t.Errorf("got %q", got)
	}
}

func TestEachFieldReadsAndWritesItsOwnText(t *testing.T) {
	var m model.Member
	for _, f := range model.MemberFields {
		f.Set(&m, f.Name)
	}
	for _, f := range model.MemberFields {
		if got := f.Value(&m); got != f.Name {
			t.Errorf("%s holds %q", f.Name, got)
		}
	}
	if m.Status != "status" || m.FirstName != "first_name" || m.RenewsOn != "renews_on" {
		t.Errorf("got %+v", m)
	}
}

func TestACleanRecordStaysAsItIs(t *testing.T) {
	m := adler()
	checkFields(t, "a full record", m.Clean())
	if m != adler() {
		t.Errorf("it became %+v", m)
	}
	for _, f := range model.MemberFields {
		m := adler()
		f.Set(&m, "")
		checkFields(t, "without "+f.Name, m.Clean())
	}
}

func TestCleanTidiesWhatWasTyped(t *testing.T) {
	tests := []struct{ name, field, typed, want string }{
		{"spaces around", "first_name", "  Ruth \t", "Ruth"},
		{"a wide space around", "last_name", "\u00a0Adler\u3000", "Adler"},
		{"a line break at the end", "city", "Bonn\r\n", "Bonn"},
		{"spaces inside stay", "city", "Bad  Honnef", "Bad  Honnef"},
		{"composed", "first_name", "Jose\u0301", "Jos\u00e9"},
		{"composed, from a Mac", "notes", "u\u0308ber", "\u00fcber"},
		{"line breaks of Windows", "notes", "one\r\ntwo\r\n", "one\ntwo"},
		{"line breaks of old Macs", "notes", "one\rtwo", "one\ntwo"},
		{"mixed line breaks", "notes", "one\r\r\n\n\rtwo", "one\n\n\n\ntwo"},
		{"tabs in notes", "notes", "a\tb", "a\tb"},
		{"no status", "status", " ", "active"},
		{"an address", "email", " ruth@example.org ", "ruth@example.org"},
		{"a date", "birth_date", " 1958-03-21\n", "1958-03-21"},
		{"joined letters stay", "last_name", "क\u200dष", "क\u200dष"},
		{"an emoji", "notes", "👩‍👩‍👧 🔑", "👩‍👩‍👧 🔑"},
	}
	for _, tt := range tests {
		m, f := adler(), field(t, tt.field)
		f.Set(&m, tt.typed)
		checkFields(t, tt.name, m.Clean())
		if got := f.Value(&m); got != tt.want {
			t.Errorf("%s: %q became %q, want %q", tt.name, tt.typed, got, tt.want)
		}
	}
}

func TestEachFieldHasRoomForSoMuchAndNoMore(t *testing.T) {
	limits := map[string]int{
		"member_no": 40, "first_name": 100, "last_name": 100, "company": 150, "phone": 50, "address1": 150, "address2": 150,
		"city": 100, "region": 100, "postcode": 20, "country": 100, "membership_type": 100, "notes": 10_000,
	}
	for name, longest := range limits {
		f := field(t, name)
		for _, letter := range []string{"x", "ł", "王", "🔑"} {
			m := adler()
			f.Set(&m, "  "+strings.Repeat(letter, longest)+"\n")
			checkFields(t, name+" full of "+letter, m.Clean())
			m = adler()
			f.Set(&m, strings.Repeat(letter, longest+1))
			got := m.Clean()
			checkFields(t, name+" too full of "+letter, got, name)
			if utf8.RuneCountInString(f.Value(&m)) != longest+1 {
				t.Errorf("%s: what was typed was cut", name)
			}
		}
		// Letters count as they are stored: composing makes one of two, and
		// some signs are parted for good.
		m := adler()
		f.Set(&m, strings.Repeat("e\u0301", longest))
		checkFields(t, name+" with accents apart", m.Clean())
		m = adler()
		f.Set(&m, strings.Repeat("\u0958", longest/2)) // क़, which NFC parts into two
		checkFields(t, name+" half full of a letter of two", m.Clean())
		m = adler()
		f.Set(&m, strings.Repeat("\u0958", longest/2+1))
		checkFields(t, name+" overfull of a letter of two", m.Clean(), name)
	}
	m := adler()
	m.City = strings.Repeat("x", 123)
	if got, want := m.Clean()["city"], "This has 123 characters; there is room for 100."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoFieldTakesControlCharacters(t *testing.T) {
	for _, f := range model.MemberFields {
		for r := rune(0); r < 0xa0; r++ {
			if !unicode.IsControl(r) {
				continue
			}
			typed := "a" + string(r) + "b"
			m := adler()
			f.Set(&m, typed)
			got := m.Clean()[f.Name]
			lines := f.Name == "notes" && (r == '\n' || r == '\r' || r == '\t')
			if lines != (got == "") {
				t.Errorf("%s with %U: %q", f.Name, r, got)
			}
		}
		for _, broken := range []string{"a\xff", "\xc3", "a\xed\xa0\x80b", "\xf0\x9f\x94"} {
			m := adler()
			f.Set(&m, broken)
			if got := m.Clean(); got[f.Name] == "" {
				t.Errorf("%s takes %q", f.Name, broken)
			}
			if f.Value(&m) != broken {
				t.Errorf("%s: %q became %q", f.Name, broken, f.Value(&m))
			}
		}
	}
	m := adler()
	m.City = "Bo\x00nn\x1b"
	if got := m.Clean()["city"]; strings.ContainsAny(got, "\x00\x1b") || !strings.Contains(got, "control character") {
		t.Errorf("got %q", got)
	}
}

func TestDates(t *testing.T) {
	dates := map[string]bool{
		"1958-03-21": true, "2024-02-29": true, "1800-01-01": true, "2200-12-31": true, "2000-02-29": true,
		"1799-12-31": false, "2201-01-01": false, "2023-02-29": false, "1900-02-29": false, "2024-02-30": false, "2024-04-31": false,
		"2024-13-01": false, "2024-00-10": false, "2024-01-00": false, "2024-1-2": false, "24-01-02": false, "02.01.2024": false,
		"2024/01/02": false, "20240102": false, "2024-01-02T00:00:00Z": false, "2024-01-02 ": true, "2024-01": false, "today": false,
		"0000-00-00": false, "-2024-01-02": false, "+2024-01-02": false, "2024-01-02x": false, "２０２４-01-02": false, "٢٠٢٤-٠١-٠٢": false,
	}
	for _, name := range []string{"birth_date", "joined_on", "renews_on"} {
		for date, good := range dates {
			m := adler()
			field(t, name).Set(&m, date)
			got := m.Clean()
			if good {
				checkFields(t, name+" "+date, got)
			} else {
				checkFields(t, name+" "+date, got, name)
			}
		}
	}
}

func TestStatuses(t *testing.T) {
	for status, good := range map[string]bool{
		"active": true, "lapsed": true, "prospect": true, "former": true, "": true, " former ": true,
		"Active": false, "member": false, "former,": false, "active lapsed": false,
	} {
		m := adler()
		m.Status = model.Status(status)
		got := m.Clean()
		if good {
			checkFields(t, status, got)
		} else {
			checkFields(t, status, got, "status")
		}
	}
	mayJoin := map[model.Status]bool{model.StatusActive: true, model.StatusProspect: true}
	if len(model.Statuses) != 4 {
		t.Errorf("got %v", model.Statuses)
	}
	for _, s := range append(model.Statuses, "", "Active", "x") {
		if s.MayJoin() != mayJoin[s] {
			t.Errorf("%q may join: %v", s, s.MayJoin())
		}
	}
}

func TestAMemberNumberIsNoAddress(t *testing.T) {
	for no, good := range map[string]bool{
		"M-21": true, "0042": true, "Ł/7": true, "": true, "12 34": true, "#1": true,
		"M@21": false, "@": false, "ruth@example.org": false,
	} {
		m := adler()
		m.MemberNo = no
		got := m.Clean()
		if good {
			checkFields(t, no, got)
			if email, key := model.LoginKey(no); email != "" || key != model.MemberNoKey(m.MemberNo) {
				t.Errorf("%q signs in as %q, %q", no, email, key)
			}
		} else {
			checkFields(t, no, got, "member_no")
		}
	}
}

func TestAMembersAddressIsOneThatCanBeWrittenTo(t *testing.T) {
	for _, email := range []string{"ruth", "Ruth <ruth@example.org>", "a@b@c.d", "ruth@localhost", "ruth@example.org\r\nBcc: x@y.z", strings.Repeat("x", 65) + "@example.org"} {
		m := adler()
		m.Email = email
		checkFields(t, email, m.Clean(), "email")
	}
}

func TestAMemberHasANameOrACompany(t *testing.T) {
	tests := []struct {
		name  string
		m     model.Member
		wrong string
	}{
		{"nothing", model.Member{}, "last_name"},
		{"spaces", model.Member{FirstName: " ", LastName: "\t", Company: "\n"}, "last_name"},
		{"an address alone", model.Member{Email: "ruth@example.org"}, "last_name"},
		{"a first name", model.Member{FirstName: "Ruth"}, ""},
		{"a last name", model.Member{LastName: "Adler"}, ""},
		{"a company", model.Member{Company: "Zoo"}, ""},
	}
	for _, tt := range tests {
		checkFields(t, tt.name, tt.m.Clean(), strings.Fields(tt.wrong)...)
	}
}

func TestEverythingWrongIsSaidAtOnce(t *testing.T) {
	m := model.Member{
		MemberNo: "@", Email: "x", City: strings.Repeat("x", 101), BirthDate: "soon", Status: "fine", Notes: "\x00",
	}
	checkFields(t, "a bad day", m.Clean(), "member_no", "email", "city", "birth_date", "status", "notes", "last_name")
}

func TestWhatAMemberIsCalled(t *testing.T) {
	tests := []struct {
		m    model.Member
		want string
	}{
		{model.Member{FirstName: "Ruth", LastName: "Adler", Company: "Zoo"}, "Ruth Adler"},
		{model.Member{FirstName: "Ruth"}, "Ruth"},
		{model.Member{LastName: "Adler"}, "Adler"},
		{model.Member{Company: "Zoo", Email: "zoo@example.org", MemberNo: "7"}, "Zoo"},
		{model.Member{Email: "zoo@example.org", MemberNo: "7"}, "zoo@example.org"},
		{model.Member{MemberNo: "7"}, "7"},
		{model.Member{}, "Unnamed member"},
	}
	for _, tt := range tests {
		if got := tt.m.Name(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestMemberNumbersAreTheSameWhateverTheirCase(t *testing.T) {
	for _, s := range [][2]string{{"M-21", "m-21"}, {" M-21\n", "M-21"}, {"É1", "e\u03011"}, {"Ł7", "ł7"}, {"Straße 1", "STRASSE 1"}, {"ΟΔΟΣ", "οδος"}, {"İ1", "i\u03071"}} {
		if a, b := model.MemberNoKey(s[0]), model.MemberNoKey(s[1]); a != b {
			t.Errorf("%q and %q are %q and %q", s[0], s[1], a, b)
		}
	}
	for _, s := range [][2]string{{"M-21", "M21"}, {"021", "21"}, {"E1", "É1"}, {"M 21", "M  21"}, {"I1", "İ1"}} {
		if a, b := model.MemberNoKey(s[0]), model.MemberNoKey(s[1]); a == b {
			t.Errorf("%q and %q are the same", s[0], s[1])
		}
	}
	if got := model.MemberNoKey("  "); got != "" {
		t.Errorf("no number is %q", got)
	}
}

func TestAStaleRecordIsAnError(t *testing.T) {
	if (&model.StaleError{Theirs: adler()}).Error() == "" {
		t.Error("it says nothing")
	}
}

func FuzzMemberClean(f *testing.F) {
	for _, seed := range []string{"", " Ruth ", "a\r\nb", "a\r\r\n\nb", "\r", "e\u0301", "\u0958", "\u2000x\u2001", "\xff", "a\u0085", "1958-03-21", "active", "ruth@example.org", "x@", "\u1fef", "\u037e", "\u0340"} {
		f.Add(seed, "Adler", uint8(len(seed)))
		f.Add("Adler", seed, uint8(2))
	}
	f.Fuzz(func(t *testing.T, a, b string, n uint8) {
		if len(a)+len(b) > 50_000 {
			return
		}
		m := adler()
		one := model.MemberFields[int(n)%len(model.MemberFields)]
		one.Set(&m, a)
		m.LastName, m.Notes = b, a+b
		said := m.Clean()
		once := m
		again := m.Clean()
		if m != once {
			t.Errorf("once %+v, twice %+v", once, m)
		}
		for _, f := range model.MemberFields {
			text := f.Value(&m)
			if said[f.Name] != again[f.Name] {
				t.Errorf("%s, %+q: once %q, then %q", f.Name, text, said[f.Name], again[f.Name])
			}
			if said[f.Name] != "" {
				continue
			}
			if !utf8.ValidString(text) || utf8.RuneCountInString(text) > f.Max || text != strings.TrimSpace(text) || !norm.NFC.IsNormalString(text) ||
				strings.ContainsAny(text, "\x00\r\x1b") {
				t.Errorf("%s takes %+q", f.Name, text)
			}
		}
		if len(said) == 0 && m.Name() == "Unnamed member" {
			t.Errorf("%+v has no name", m)
		}
	})
}

func TestNoNameTurnsTheRestOfALine(t *testing.T) {
	for typed, want := range map[string]string{
		"Eve \u202edelasrever": "Eve delasrever", "\u202a030 555 01 23\u202c": "030 555 01 23", "\u2067Eve\u2069": "Eve", "\u05e0\u05d9\u05e0\u05d4": "\u05e0\u05d9\u05e0\u05d4",
	} {
		m := model.Member{LastName: typed, Phone: typed, Notes: typed}
		f := m.Clean()
		if len(f) > 0 || m.LastName != want || m.Phone != want || m.Notes != want {
			t.Errorf("%+q is %+q, %v", typed, m.LastName, f)
		}
	}
}
