package handlers

import (
	_ "embed"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/db/model"
	"latchkey/views"
)

// zoneNames is the time zones where somebody lives, from zone.tab of the IANA
// database (public domain). The names are needed to offer a choice; Go reads
// zones but does not list them.
//
//go:embed zones.txt
var zoneNames string

// zones lists the time zones to choose from, the chosen one always among them.
func zones(chosen string) []string {
	all := strings.Fields(zoneNames)
	if chosen != "" && !slices.Contains(all, chosen) {
		all = append([]string{chosen}, all...)
	}
	return all
}

// machineZone is the zone of the machine, the best guess at the first start;
// "UTC" where it does not say.
func machineZone() string {
	at, err := os.Readlink("/etc/localtime")
	if err != nil {
		return "UTC"
	}
	_, zone, ok := strings.Cut(at, "zoneinfo/")
	if _, err := time.LoadLocation(zone); !ok || err != nil {
		return "UTC"
	}
	return zone
}

func (p *portal) showSettings(w http.ResponseWriter, r *http.Request) error {
	told(w, r)
	return p.renderSettings(w, r, http.StatusOK, views.Form{Values: settingValues(visitOf(r).settings)})
}

func (p *portal) renderSettings(w http.ResponseWriter, r *http.Request, status int, f views.Form) error {
	return p.render(w, r, status, views.SettingsPage(p.page(r), f, zones(f.Values["time_zone"])))
}

func (p *portal) changeSettings(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	if pair, ok := presets[r.PostForm.Get("preset")]; ok {
		r.PostForm.Set("reset_lifetime", inHours(pair.Lifetime))
		r.PostForm.Set("resend_window", inHours(pair.ResendWindow))
	}
	s, fields := typedSettings(v.settings, r.PostForm)
	// All that is wrong is said in one round: what cannot be read, and what
	// cannot be taken.
	clean := s
	for name, sentence := range clean.Clean() {
		fields.Add(name, sentence)
	}
	err := fields.Err()
	if err == nil {
		err = p.DB.ChangeSettings(r.Context(), v.by(), s)
	}
	if f, ok := refusedForm(r, err); ok {
		return p.renderSettings(w, r, http.StatusUnprocessableEntity, f)
	}
	if err != nil {
		return err
	}
	tell(w, v, noticeSaved, "")
	return redirect(w, "/admin/settings")
}

// presets are the pairs of numbers that one press chooses.
var presets = map[string]model.ResetPolicy{"usual": model.UsualResets, "strict": model.StrictResets}

func inHours(d time.Duration) string { return strconv.Itoa(int(d / time.Hour)) }

// settingValues is the settings as their form shows them. The mail server's
// password is not among them.
func settingValues(s model.Settings) map[string]string {
	values := map[string]string{
		"association": s.Association, "colour": s.Colour, "support_email": s.SupportEmail, "support_phone": s.SupportPhone,
		"base_url": s.BaseURL, "time_zone": s.TimeZone,
		"reset_lifetime": inHours(s.Resets.Lifetime), "resend_window": inHours(s.Resets.ResendWindow),
		"min_password_length": strconv.Itoa(s.MinPasswordLength),
		"password_reminder":   strconv.Itoa(int(s.PasswordReminder / day)),
		"audit_kept":          strconv.Itoa(int(s.AuditKept / year)),
	}
	if s.LettersPerMinute > 0 {
		values["letters_per_minute"] = strconv.Itoa(s.LettersPerMinute)
	}
	for _, role := range model.Roles {
		values["factor_"+string(role)] = string(*s.Factors.Of(role))
	}
	for name, on := range map[string]bool{"roll_sign_in": s.RollSignIn, "households": s.Households, "unknown_letters": s.UnknownLetters} {
		if on {
			values[name] = "1"
		}
	}
	return values
}

// What the form counts in; nobody looks for the 29th of February.
const (
	day  = 24 * time.Hour
	year = 365 * day
)

// typedSettings is the settings that a form asks for, and what of it cannot
// even be read.
func typedSettings(s model.Settings, form url.Values) (model.Settings, model.Fields) {
	f := model.Fields{}
	// What is no number keeps its value: a zero would have its neighbours
	// refused as well.
	number := func(name string, was int) int {
		n, err := strconv.Atoi(strings.TrimSpace(form.Get(name)))
		if err != nil {
			f.Add(name, "Please write a whole number.")
			return was
		}
		return n
	}
	// More hours than this would not fit into a duration.
	const hoursMost = 1_000_000
	hours := func(name string, was time.Duration) time.Duration {
		return time.Duration(min(number(name, int(was/time.Hour)), hoursMost)) * time.Hour
	}

	s.Association, s.TimeZone = form.Get("association"), form.Get("time_zone")
	s.SupportEmail, s.SupportPhone = form.Get("support_email"), form.Get("support_phone")
	s.Resets = model.ResetPolicy{Lifetime: hours("reset_lifetime", s.Resets.Lifetime), ResendWindow: hours("resend_window", s.Resets.ResendWindow)}
	s.MinPasswordLength = number("min_password_length", s.MinPasswordLength)
	if form.Has("password_reminder") {
		s.PasswordReminder = time.Duration(min(number("password_reminder", int(s.PasswordReminder/day)), 1000)) * day
	}
	s.LettersPerMinute = 0
	if strings.TrimSpace(form.Get("letters_per_minute")) != "" {
		s.LettersPerMinute = number("letters_per_minute", 0)
	}
	if form.Has("audit_kept") {
		s.AuditKept = time.Duration(min(number("audit_kept", int(s.AuditKept/year)), 100)) * year
	}
	s.RollSignIn, s.Households, s.UnknownLetters = form.Get("roll_sign_in") != "", form.Get("households") != "", form.Get("unknown_letters") != ""
	for _, role := range model.Roles {
		name := "factor_" + string(role)
		rule, ok := model.ParseFactorRule(form.Get(name))
		switch {
		case ok:
			*s.Factors.Of(role) = rule
		case form.Has(name):
			f.Add(name, "Please choose one of these.")
		}
	}
	s.Colour = strings.TrimSpace(form.Get("colour"))
	if _, ok := parseColour(s.Colour); !ok && s.Colour != "" {
		f.Add("colour", "Please write the colour like #14506e.")
	}
	return s, f
}
