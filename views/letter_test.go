package views

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/PuerkitoBio/goquery"

	"latchkey/db/model"
)

var letterKinds = append([]model.LetterKind{model.LetterSettingsChanged}, model.LetterKinds...)

const (
	oneCode   = "K7WX-M3QZ"
	oneLink   = "https://members.example.org/reset/aaaabbbbccccddddeeeeffffgggghhhhiiiijjjj"
	otherLink = "https://members.example.org/reset/zzzzbbbbccccddddeeeeffffgggghhhhiiiijjjj"

	oneEmail = "https://members.example.org/email/aaaabbbbccccddddeeeeffffgggghhhhiiiillll"

	oneNotMe   = "https://members.example.org/not-me/aaaabbbbccccddddeeeeffffgggghhhhiiiikkkk"
	otherNotMe = "https://members.example.org/not-me/zzzzbbbbccccddddeeeeffffgggghhhhiiiikkkk"
)

// letterTo is a letter of one kind to Anna Weber, asked for by Ruth Adler on
// Saturday 21 November 2026 at 10:42 in Berlin.
func letterTo(t *testing.T, k model.LetterKind) model.LetterContents {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 21, 9, 42, 0, 0, time.UTC)
	c := model.LetterContents{
		Letter: model.Letter{Kind: k, To: "anna@example.org", CreatedAt: now, AskedKind: model.ByPerson},
		Name:   "Anna Weber", Association: "Harbour Rowing Club", Portal: "members.example.org", BaseURL: "https://members.example.org",
		SupportEmail: "office@example.org", SupportPhone: "0171 555 010", TimeZone: berlin, From: "no-reply@example.org",
		RequestedBy: "Ruth Adler", ChangedAt: now, NewEmail: "a…@example.net",
		What: "letters are handed to smtp://mail.example.net:587 (before: smtp://mail.example.org:587)",
	}
	if k.CarriesLink() {
		c.Links = []model.LetterLink{{Name: "Anna Weber", URL: model.NewSecret(oneLink), NotMe: model.NewSecret(oneNotMe), Expires: now.Add(7 * 24 * time.Hour),
			Code: model.NewSecret(oneCode), CodeExpires: now.Add(24 * time.Hour)}}
	}
	if k == model.LetterEmailConfirm { // the only one with a link that lets nobody in
		c.Links[0].URL, c.Links[0].NotMe, c.Links[0].Code = model.NewSecret(oneEmail), model.Secret{}, model.Secret{}
	}
	if k == model.LetterPasswordChanged {
		c.ByLink, c.NotMe = true, model.NewSecret(oneNotMe)
	}
	if k == model.LetterResetSeveral {
		c.Links = append(c.Links, model.LetterLink{Name: "Bert Weber", URL: model.NewSecret(otherLink), NotMe: model.NewSecret(otherNotMe), Expires: now.Add(50 * time.Hour)})
	}
	return c
}

func compose(t *testing.T, c model.LetterContents) (Composed, *goquery.Document) {
	t.Helper()
	got, err := ComposeLetter(c)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(got.HTML))
	if err != nil {
		t.Fatal(err)
	}
	return got, doc
}

// spaced joins the words of a text, so that a sentence is found wherever its
// lines are broken.
func spaced(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestOriginalTemplatesPassTheCheckOfTheirKind(t *testing.T) {
	for _, k := range letterKinds {
		original, err := OriginalTemplate(k)
		if err != nil {
			t.Error(err)
			continue
		}
		if err := original.Check(k); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
	if _, err := OriginalTemplate("../letter"); err == nil {
		t.Error("a kind that there is not has a template")
	}
}

func TestEveryLetterSaysWhatEveryLetterMust(t *testing.T) {
	for _, k := range letterKinds {
		t.Run(string(k), func(t *testing.T) {
			got, doc := compose(t, letterTo(t, k))
			html := spaced(doc.Find("body").Text())
			text := spaced(got.Text)
			for _, body := range []string{html, text} {
				for _, want := range []string{
					"Our letters come from no-reply@example.org.", "Our links begin with https://members.example.org/ and nothing else.",
					"Harbour Rowing Club", "0171 555 010", "office@example.org", "Hello",
				} {
					if !strings.Contains(body, want) {
						t.Errorf("%q is missing in:\n%s", want, body)
					}
				}
				if !regexp.MustCompile(`If you did not ask for this, you need not do anything: |If it (was|is) not`).MatchString(body) {
					t.Errorf("nothing for people who did not ask in:\n%s", body)
				}
				if strings.Contains(body, "{{") || strings.Contains(body, "%!") {
					t.Errorf("something was not filled in:\n%s", body)
				}
			}
			if !strings.Contains(got.Subject, "Harbour Rowing Club") || strings.Contains(got.Subject, "{{") {
				t.Errorf("subject %q", got.Subject)
			}
			if n := len(got.HTML); n > 30_000 {
				t.Errorf("%d bytes of HTML", n)
			}
			for line := range strings.Lines(got.Text) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > textWidth && !strings.Contains(line, "://") {
					t.Errorf("a line of %d columns: %q", n, line)
				}
			}
		})
	}
}

func TestLettersFetchNothing(t *testing.T) {
	for _, k := range letterKinds {
		got, doc := compose(t, letterTo(t, k))
		if n := doc.Find("img, script, link, iframe, object, video, audio, form, input, [src], [background], [srcset]").Length(); n > 0 {
			t.Errorf("%s: %d elements that fetch or run something", k, n)
		}
		if regexp.MustCompile(`url\s*\(|@import|@font-face`).MatchString(got.HTML) {
			t.Errorf("%s: a style that fetches something", k)
		}
		doc.Find("[href]").Each(func(_ int, a *goquery.Selection) {
			if href := a.AttrOr("href", ""); !slices.Contains([]string{oneLink, otherLink, oneNotMe, otherNotMe, oneEmail}, href) {
				t.Errorf("%s: leads to %s", k, href)
			}
		})
	}
}

func TestLinkStandsAsButtonAndAsText(t *testing.T) {
	for _, k := range []model.LetterKind{model.LetterWelcome, model.LetterReset} {
		got, doc := compose(t, letterTo(t, k))
		if href := doc.Find("a.button").AttrOr("href", ""); href != oneLink {
			t.Errorf("%s: the button leads to %q", k, href)
		}
		if text := doc.Find(`a.link[href="` + oneLink + `"]`).Text(); text != oneLink {
			t.Errorf("%s: the link reads %q", k, text)
		}
		if !strings.Contains(got.Text, "\n\n"+oneLink+"\n\n") {
			t.Errorf("%s: the link has no line of its own:\n%s", k, got.Text)
		}
		if strings.Contains(got.Subject+preheader(got.Text, ""), "://") {
			t.Errorf("%s: the link shows in the list of letters", k)
		}
	}
}

func TestLetterForSeveralHasANamedLinkForEach(t *testing.T) {
	got, doc := compose(t, letterTo(t, model.LetterResetSeveral))
	for _, want := range []struct{ name, link, until string }{
		{"Anna Weber", oneLink, "Saturday 28 November at 10:42, Berlin time"},
		{"Bert Weber", otherLink, "Monday 23 November at 12:42, Berlin time"},
	} {
		if !strings.Contains(got.Text, "For "+want.name+":\n\n"+want.link+"\n\nIt works once, until "+want.until) {
			t.Errorf("%s has no link of their own in:\n%s", want.name, got.Text)
		}
		button := doc.Find("a.button").FilterFunction(func(_ int, a *goquery.Selection) bool { return a.AttrOr("href", "") == want.link })
		if !strings.Contains(button.Text(), want.name) {
			t.Errorf("the button of %s reads %q", want.name, button.Text())
		}
	}
}

func TestExpiryIsComputedFromTheLinkInTheAssociationsZone(t *testing.T) {
	for _, tt := range []struct {
		name, zone string
		asked      time.Time
		life       time.Duration
		want       string
	}{
		{"a new link", "Europe/Berlin", time.Date(2026, 11, 21, 9, 42, 0, 0, time.UTC), 7 * 24 * time.Hour,
			"for 7 days: until Saturday 28 November at 10:42, Berlin time."},
		{"sent again ten hours later", "Europe/Berlin", time.Date(2026, 11, 21, 19, 42, 0, 0, time.UTC), 158 * time.Hour,
			"for about 7 days: until Saturday 28 November at 10:42, Berlin time."},
		{"over the end of summer time", "Europe/Berlin", time.Date(2026, 10, 24, 8, 0, 0, 0, time.UTC), 48 * time.Hour,
			"for 2 days: until Monday 26 October at 09:00, Berlin time."},
		{"a strict link", "America/Argentina/Buenos_Aires", time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC), 24 * time.Hour,
			"for 24 hours: until Friday 1 January at 20:30, Buenos Aires time."},
		{"the last minutes", "UTC", time.Date(2026, 3, 1, 23, 59, 0, 0, time.UTC), 90 * time.Minute,
			"for 90 minutes: until Monday 2 March at 01:29, UTC."},
		{"a zone without a city", "Etc/GMT-3", time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), 24 * time.Hour,
			"for 24 hours: until Monday 2 March at 15:00, +03."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := letterTo(t, model.LetterReset)
			loc, err := time.LoadLocation(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			c.TimeZone, c.CreatedAt, c.Links[0].Expires = loc, tt.asked, tt.asked.Add(tt.life)
			got, doc := compose(t, c)
			if !strings.Contains(spaced(got.Text), "The link works once, "+tt.want) {
				t.Errorf("%q is missing in:\n%s", tt.want, got.Text)
			}
			if !strings.Contains(spaced(doc.Text()), "The link works once, "+tt.want) {
				t.Errorf("%q is missing in the HTML", tt.want)
			}
		})
	}
}

func TestLetterNamesWhoAsked(t *testing.T) {
	for _, tt := range []struct {
		by    string
		asked model.ActorKind
		want  string
	}{
		{"Ruth Adler", model.ByPerson, "asked for by Ruth Adler at the office."},
		{"the office", model.ByPerson, "asked for by the office."},
		{"", model.ByMember, "asked for by you, or somebody who typed your address."},
		{"", model.ByShell, "asked for by whoever runs this portal."},
		{"", model.BySystem, "asked for by the office."},
	} {
		c := letterTo(t, model.LetterReset)
		c.RequestedBy, c.AskedKind = tt.by, tt.asked
		got, _ := compose(t, c)
		if !strings.Contains(spaced(got.Text), tt.want) {
			t.Errorf("%q is missing in:\n%s", tt.want, got.Text)
		}
	}
}

func TestPasswordChangedTellsHow(t *testing.T) {
	for _, tt := range []struct {
		name  string
		link  bool
		by    string
		asked model.ActorKind
		seen  []string
		read  string
		want  string
	}{
		{"on the account page", false, "", model.ByPerson, nil, "", "changed on the account page, by somebody who was signed in and knew the old password."},
		{"on the machine", false, "", model.ByShell, nil, "", "changed by whoever runs this portal, on the computer that it runs on."},
		{"a link that went out by itself", true, "", model.BySystem, nil, "",
			"changed through a link that this portal had sent by itself. Nobody at the office had the link on screen."},
		{"a link from the machine", true, "", model.ByShell, nil, "", "asked for by whoever runs this portal. Nobody"},
		{"own request", true, "", model.ByMember, nil, "", "asked for by you, or somebody who typed your address. Nobody at the office had the link on screen."},
		{"sent by staff, seen by two", true, "Ruth Adler", model.ByMember, []string{"Ruth Adler", "Tom Oke"}, "",
			"asked for by Ruth Adler at the office. At the office, Ruth Adler and Tom Oke had the link on screen."},
		{"a code that was read out", true, "", model.ByMember, []string{"Tom Oke"}, "Tom Oke",
			"typed your address. Tom Oke at the office read out a code for it on the telephone. At the office, Tom Oke had the link on screen."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := letterTo(t, model.LetterPasswordChanged)
			c.ByLink, c.RequestedBy, c.AskedKind, c.SeenBy, c.ReadOutBy = tt.link, tt.by, tt.asked, tt.seen, tt.read
			got, _ := compose(t, c)
			if text := spaced(got.Text); !strings.Contains(text, tt.want) || !strings.Contains(text, "Saturday 21 November at 10:42, Berlin time") {
				t.Errorf("%q is missing in:\n%s", tt.want, got.Text)
			}
		})
	}
}

func TestUnknownAddressIsNotRepeated(t *testing.T) {
	got, _ := compose(t, letterTo(t, model.LetterNoAccount))
	if strings.Contains(got.Subject+got.Text+got.HTML, "anna@example.org") {
		t.Error("the letter repeats what was typed")
	}
}

func TestNamesCannotChangeALetter(t *testing.T) {
	for _, k := range letterKinds {
		c := letterTo(t, k)
		plain, _ := compose(t, c)
		evil := "Eve\r\nBcc: all@example.org\r\n\r\n<a class=\"button\" href=\"https://evil.example\">{{link}}</a>\u202e"
		c.Name, c.Association, c.RequestedBy, c.NewEmail, c.SeenBy = evil, evil, evil, evil, []string{evil}
		for i := range c.Links {
			c.Links[i].Name = evil
		}
		got, doc := compose(t, c)
		if strings.ContainsAny(got.Subject, "\r\n\u202e") {
			t.Errorf("%s: subject %q", k, got.Subject)
		}
		if strings.Contains(got.Text, "\r") || strings.Contains(got.Text, "\nBcc:") {
			t.Errorf("%s: a line of its own in:\n%s", k, got.Text)
		}
		if n := doc.Find(`[href*="evil"]`).Length(); n > 0 {
			t.Errorf("%s: %d links of the name's own", k, n)
		}
		if a, b := strings.Count(plain.HTML, "<"), strings.Count(got.HTML, "<"); a != b {
			t.Errorf("%s: %d tags instead of %d", k, b, a)
		}
	}
}

func TestLetterWithoutItsLinkIsAnError(t *testing.T) {
	for _, k := range letterKinds {
		c := letterTo(t, k)
		c.Links = nil
		if _, err := ComposeLetter(c); (err != nil) != k.CarriesLink() {
			t.Errorf("%s: %v", k, err)
		}
	}
}

func TestLetterStandsWithoutWhatIsNotSet(t *testing.T) {
	for _, k := range letterKinds {
		c := letterTo(t, k)
		c.Name, c.Association, c.SupportEmail, c.SupportPhone, c.TimeZone = "", "", "", "", nil
		got, _ := compose(t, c)
		if text := spaced(got.Text); !strings.Contains(text, "Please ask the office.") || !strings.Contains(got.Subject, "members.example.org") || strings.Contains(text, "Hello ,") {
			t.Errorf("%s: %s\n%s", k, got.Subject, got.Text)
		}
	}
}

func TestWrapNeverBreaksALink(t *testing.T) {
	long := "https://" + strings.Repeat("a", 90) + ".example.org/reset/x"
	in := "Grüße an alle " + strings.Repeat("wort ", 20) + "\n\n" + long + "\nend"
	got := wrap(in)
	if !strings.Contains(got, "\n\n"+long+"\n") {
		t.Errorf("got:\n%s", got)
	}
	if spaced(got) != spaced(in) {
		t.Errorf("words were lost:\n%s", got)
	}
}

func TestPreheaderIsTheFirstSentenceAfterTheGreeting(t *testing.T) {
	_, doc := compose(t, letterTo(t, model.LetterReset))
	first := spaced(doc.Find("body > div").First().Text())
	if !strings.HasPrefix(first, "Here is your link to choose a new password for Harbour Rowing Club. It was asked for by Ruth Adler at the office.") {
		t.Errorf("the mailbox shows %q", first)
	}
}
