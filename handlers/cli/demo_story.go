package cli

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp/hotp"

	"latchkey/db"
	"latchkey/db/model"
)

const (
	association = "Harbourside Makers’ Guild"
	ownerEmail  = "ruth@harbourside-makers.example"
	staffEmail  = "siobhan@harbourside-makers.example"
	viewerEmail = "anjali@harbourside-makers.example"

	atHome   = "203.0.113.0/24" // RFC 5737 keeps these networks for examples
	inOffice = "198.51.100.0/24"
)

const day = 24 * time.Hour

// story is the demonstration's past: the acts that people do, done with the
// portal's clock set to when they did them. So each record shows what a real
// one would, and nothing here knows how it is kept.
type story struct {
	d     *db.DB
	today time.Time

	people map[string]model.Member       // on the roll, by name
	apps   map[string]model.Secret       // keys of their apps for codes, by name
	inbox  map[string][]model.LetterLink // by address, of the newest letter with links
	staff  model.Actor
	events []event
}

// event is something that happened some time before today.
type event struct {
	ago time.Duration
	act func(ctx context.Context) error
}

// furnish makes the demonstration's portal in a folder and gives its owner's
// password.
func furnish(ctx context.Context, folder, base string, now time.Time) (password string, err error) {
	s := &story{today: now, people: map[string]model.Member{}, apps: map[string]model.Secret{}, inbox: map[string][]model.LetterLink{}}
	password = passphrase()

	// In the past there was a mail server, which took the letters. It is never
	// spoken to: the story says itself what it answered.
	past := db.Fixed{BaseURL: base, Mail: &model.MailServer{Host: "localhost", Port: 25}}
	s.found(base, password)
	s.members()
	s.troubles()
	if err := s.tell(ctx, folder, past); err != nil {
		return "", err
	}
	s.lately()
	return password, s.tell(ctx, folder, db.Fixed{BaseURL: base, Mail: &model.MailServer{}})
}

// at notes what happened some time before today.
func (s *story) at(ago time.Duration, act func(ctx context.Context) error) {
	s.events = append(s.events, event{ago, act})
}

// tell makes everything noted so far happen, in its order.
func (s *story) tell(ctx context.Context, folder string, fixed db.Fixed) (err error) {
	if s.d, err = db.Open(ctx, folder, fixed); err != nil {
		return err
	}
	defer s.d.Close()
	slices.SortStableFunc(s.events, func(a, b event) int { return cmp.Compare(b.ago, a.ago) })
	for _, e := range s.events {
		s.clock(e.ago)
		if err := e.act(ctx); err != nil {
			return fmt.Errorf("%s ago: %w", e.ago, err)
		}
		if err := s.deliver(ctx, e.ago); err != nil {
			return err
		}
	}
	s.events = nil
	return nil
}

func (s *story) clock(ago time.Duration) {
	t := s.today.Add(-ago)
	s.d.SetClock(func() time.Time { return t })
}

// deliver is the postman and the mail servers of those days.
func (s *story) deliver(ctx context.Context, ago time.Duration) error {
	if _, err := s.d.WorkIntake(ctx); err != nil {
		return err
	}
	for n := 0; ; n++ {
		l, err := s.d.ClaimLetter(ctx)
		if err != nil || l == nil {
			return err
		}
		how := model.Delivery{Accepted: true, Code: 250, Reply: fmt.Sprintf("250 2.0.0 Ok: queued as %X", 0x4F2A61C0+l.ID*7919)}
		if l.To == s.people["Delroy Gordon"].Email {
			how = model.Delivery{Code: 550, Reply: "550 5.1.1 <" + l.To + ">: Recipient address rejected: User unknown in virtual mailbox table"}
		}
		s.clock(ago - 2*time.Second)
		if err := s.d.SettleLetter(ctx, l.ID, how); err != nil {
			return err
		}
		if len(l.Links) > 0 {
			s.inbox[l.To] = l.Links
		}
	}
}

// found is how the portal came to be: its owner, the roll, and the office.
func (s *story) found(base, password string) {
	people := invented(s.today)
	owner, staff, viewer := people[0], people[1], people[2]
	owner.Email, staff.Email, viewer.Email = ownerEmail, staffEmail, viewerEmail
	for i, p := range people {
		// One couple, one mailbox.
		if p.Name() == "Käthe Strauß" {
			partner := people[i-1]
			people[i].Email, people[i].Phone = partner.Email, partner.Phone
			people[i].Address1, people[i].Postcode = partner.Address1, partner.Postcode
		}
	}

	var founder model.Actor
	s.at(151*day, func(ctx context.Context) error {
		settings := model.DefaultSettings()
		settings.Association, settings.BaseURL, settings.TimeZone = association, base, "Europe/London"
		settings.Factors.Owner, settings.Factors.Staff, settings.Factors.Viewer = model.FactorOptional, model.FactorOptional, model.FactorOptional
		settings.SupportEmail, settings.SupportPhone = "office@harbourside-makers.example", "0117 496 0900"
		if err := s.d.SetUp(ctx, model.SetUp{
			FirstName: owner.FirstName, LastName: owner.LastName, Email: owner.Email,
			Password: model.NewSecret(password), Confirm: model.NewSecret(password), Settings: settings,
		}); err != nil {
			return err
		}
		in, err := s.signIn(ctx, owner.Email, password, "Firefox on Linux", inOffice)
		if err != nil {
			return err
		}
		founder = actor(in.Account)
		if err := s.complete(ctx, founder, founder.MemberID, owner); err != nil {
			return err
		}
		ids, err := s.d.AddMembers(ctx, founder, people[3:])
		for i, id := range ids {
			m := people[3+i]
			m.ID = id
			s.people[m.Name()] = m
		}
		return err
	})
	// Only now is the office asked for a second factor, so whoever signs in next
	// has all the time there is.
	s.at(2*time.Hour, func(ctx context.Context) error {
		settings, err := s.d.Settings(ctx)
		if err != nil {
			return err
		}
		settings.Factors = model.DefaultFactorRules
		return s.d.ChangeSettings(ctx, founder, settings)
	})
	colleague := func(ago time.Duration, m model.Member, role model.Role, then func(context.Context, model.SignedIn, string) error) {
		var id int64
		s.at(ago, func(ctx context.Context) (err error) {
			id, err = s.d.InviteStaff(ctx, founder, model.Invite{FirstName: m.FirstName, LastName: m.LastName, Email: m.Email, Role: role})
			return err
		})
		s.at(ago-3*time.Hour, func(ctx context.Context) error {
			password, err := s.choosePassword(ctx, m.Email, m.Name())
			if err != nil {
				return err
			}
			in, err := s.signIn(ctx, m.Email, password, "Safari on a Mac or iPad", inOffice)
			if err != nil {
				return err
			}
			if err := then(ctx, in, password); err != nil {
				return err
			}
			return s.complete(ctx, founder, id, m)
		})
	}
	colleague(151*day-time.Hour, staff, model.RoleStaff, func(ctx context.Context, in model.SignedIn, password string) error {
		a, err := s.setUpApp(ctx, in, password)
		s.staff = actor(a)
		return err
	})
	colleague(120*day, viewer, model.RoleViewer, func(context.Context, model.SignedIn, string) error { return nil })
}

// members is what went well: people who got in, and a few who never tried.
func (s *story) members() {
	for _, m := range []struct {
		name     string
		made     time.Duration
		signedIn time.Duration
		device   string
	}{
		{"Łukasz Wiśniewski", 139 * day, 61 * day, "Chrome on Android"},
		{withApp, 133 * day, 47 * day, "Chrome on Android"},
		{"Corrado Pellegrini", 120 * day, 90 * day, "Firefox on Windows"},
		{"Ngozi Okonkwo", 96 * day, 9 * day, "Safari on an iPad"},
		{"Chiara Esposito", 71 * day, 20 * day, "Safari on an iPhone"},
		{"Ayşe Yılmaz", 64 * day, 33 * day, "Chrome on Android"},
	} {
		s.createUser(m.made, m.name)
		var password string
		s.at(m.made-5*time.Hour, func(ctx context.Context) (err error) {
			password, err = s.choosePassword(ctx, s.people[m.name].Email, m.name)
			return err
		})
		s.at(m.signedIn, func(ctx context.Context) error {
			in, err := s.signIn(ctx, s.people[m.name].Email, password, m.device, atHome)
			if err != nil || m.name != withApp {
				return err
			}
			_, err = s.setUpApp(ctx, in, password)
			return err
		})
		if m.name == withApp {
			s.withoutTelephone(m.device, &password)
		}
	}
	for i, name := range []string{"Bodil Højgaard", "Đặng Thị Hương", "José Núñez", "Zsófia Szűcs", "Kwame Asante",
		"Ірина Мельник", "Lakshmi Venkataraman", "Kenji Watanabe", "Inês Falcão"} {
		s.createUser(time.Duration(24+5*i)*day, name)
	}

	// The couple: Jürgen finished, Käthe opened her link and let it be.
	s.createUser(58*day, "Jürgen Groß")
	s.at(58*day-time.Hour, func(ctx context.Context) error {
		_, err := s.choosePassword(ctx, s.people["Jürgen Groß"].Email, "Jürgen Groß")
		return err
	})
	s.createUser(57*day, "Käthe Strauß")

	s.at(40*day, func(ctx context.Context) error {
		m := s.people["Ngozi Okonkwo"]
		m.Phone, m.Notes = "07700 900871", "New telephone since she moved; letters to the workshop, please."
		return s.complete(ctx, s.staff, m.ID, m)
	})
}

// withApp is a member with a second factor. It is not who the tour has a visitor
// sign in as: no visitor holds the telephone.
const withApp = "Gwen Llewellyn"

// withoutTelephone is somebody with an app for codes, who used it, and today has
// a new telephone without it.
func (s *story) withoutTelephone(device string, password *string) {
	step := func(ctx context.Context) (model.SecondProof, error) {
		in, err := s.signIn(ctx, s.people[withApp].Email, *password, device, atHome)
		if err != nil || in.Second == nil {
			return model.SecondProof{}, fmt.Errorf("no second factor was asked for: %w", err)
		}
		return model.SecondProof{Ticket: in.Second.Ticket, Device: device, Network: atHome}, nil
	}
	s.at(17*day, func(ctx context.Context) error {
		proof, err := step(ctx)
		if err != nil {
			return err
		}
		if proof.Code, err = s.code(s.apps[withApp]); err != nil {
			return err
		}
		_, err = s.d.ProveFactor(ctx, proof)
		return err
	})
	s.at(50*time.Minute, func(ctx context.Context) error {
		proof, err := step(ctx)
		if err != nil {
			return err
		}
		proof.Code = "000000"
		if _, err = s.d.ProveFactor(ctx, proof); model.KindOf(err) != model.KindInvalid {
			return fmt.Errorf("a wrong code was not refused: %w", err)
		}
		return nil
	})
}

// setUpApp has somebody who just signed in set up an app for codes.
func (s *story) setUpApp(ctx context.Context, in model.SignedIn, password string) (model.Account, error) {
	who := actor(in.Account)
	who.Network = in.Session.Network
	app, err := s.d.BeginApp(ctx, who, model.SelfProof{Password: model.NewSecret(password)})
	if err != nil {
		return in.Account, err
	}
	code, err := s.code(app.Secret)
	if err != nil {
		return in.Account, err
	}
	added, err := s.d.ConfirmApp(ctx, who, in.Session.ID, app.Ticket, code)
	if err != nil {
		return in.Account, err
	}
	s.apps[in.Account.Name] = app.Secret
	return added.SignIn.Account, nil
}

// code is what an app shows now.
func (s *story) code(key model.Secret) (string, error) {
	return hotp.GenerateCode(strings.ReplaceAll(key.Reveal(), " ", ""), uint64(model.AppStep(s.d.Now())))
}

// troubles is why the office's telephone rings.
func (s *story) troubles() {
	s.at(75*day, func(ctx context.Context) error {
		return s.d.Disable(ctx, s.staff, s.people["Corrado Pellegrini"].ID)
	})

	s.createUser(12*day, "Hélène Lefèvre") // and the link expired

	s.createUser(5*time.Hour, "Małgorzata Zielińska") // opened, and never finished
	s.at(4*time.Hour, func(ctx context.Context) error {
		_, err := s.open(ctx, s.people["Małgorzata Zielińska"].Email, "Małgorzata Zielińska")
		return err
	})

	s.createUser(3*time.Hour, "Delroy Gordon") // his mail server refused the letter
	s.at(160*time.Minute, func(ctx context.Context) error {
		r, err := s.d.AccountRecord(ctx, s.staff, s.people["Delroy Gordon"].ID)
		if err != nil {
			return err
		}
		return s.d.CopiedReset(ctx, s.staff, r.Member.ID, r.Latest.ID)
	})

	// Ngozi asked with an address that is nearly hers.
	s.at(2*time.Hour, func(ctx context.Context) error {
		return s.d.AskReset(ctx, slip(s.people["Ngozi Okonkwo"].Email), atHome)
	})

	s.createUser(8*day, "Niccolò D’Angelo")
	s.at(7*day, func(ctx context.Context) error {
		return s.d.CancelReset(ctx, s.staff, s.people["Niccolò D’Angelo"].ID)
	})
}

// lately is today: without a mail server, so that these letters can be read.
func (s *story) lately() {
	s.at(26*time.Minute, func(ctx context.Context) error { // the first time she asks: she is on the roll
		return s.d.AskReset(ctx, s.people["Folasade Akindele"].Email, atHome)
	})
	s.at(19*time.Minute, func(ctx context.Context) error { // one letter for both of the couple
		return s.d.AskReset(ctx, s.people["Jürgen Groß"].Email, atHome)
	})
	s.at(12*time.Minute, func(ctx context.Context) error {
		return s.d.SendPasswordReset(ctx, s.staff, s.people["Chiara Esposito"].ID)
	})

	// Ayşe is sure of her password. After the fifth wrong try each has to wait.
	const tries = 13 // and then four minutes
	ago, wrong := 5*time.Minute, model.Failures{}
	for range tries {
		ago -= 3*time.Second + wrong.Wait(wrong.LastAt)
		wrong = wrong.Next(s.today.Add(-ago))
		s.at(ago, func(ctx context.Context) error {
			_, err := s.signIn(ctx, s.people["Ayşe Yılmaz"].Email, "Istanbul-1453!", "Chrome on Android", atHome)
			if model.KindOf(err) != model.KindSignIn {
				return fmt.Errorf("a wrong password was not refused: %w", err)
			}
			return nil
		})
	}
}

// slip is an address with its last two letters before the @ exchanged.
func slip(email string) string {
	local, domain, _ := strings.Cut(email, "@")
	n := len(local)
	return local[:n-2] + local[n-1:] + local[n-2:n-1] + "@" + domain
}

func (s *story) createUser(ago time.Duration, name string) {
	s.at(ago, func(ctx context.Context) error {
		m := s.people[name]
		return s.d.CreateUser(ctx, s.staff, m.ID, m.Email, true)
	})
}

// complete writes what the office knows about somebody into their record.
func (s *story) complete(ctx context.Context, by model.Actor, id int64, m model.Member) error {
	was, _, err := s.d.Member(ctx, by, id)
	if err != nil {
		return err
	}
	m.ID, m.Version = id, was.Version
	return s.d.ChangeMember(ctx, by, m)
}

// open is somebody opening the link in the newest letter at their address. It
// gives the token.
func (s *story) open(ctx context.Context, email, name string) (token model.Secret, err error) {
	for _, l := range s.inbox[email] {
		if l.Name != name {
			continue
		}
		token = model.NewSecret(path.Base(l.URL.Reveal()))
		o, err := s.d.OpenReset(ctx, token.Reveal())
		if err != nil {
			return token, err
		}
		return token, s.d.NoteOpened(ctx, o.Reset.ID)
	}
	return token, fmt.Errorf("no letter with a link came for %s", name)
}

func (s *story) choosePassword(ctx context.Context, email, name string) (password string, err error) {
	token, err := s.open(ctx, email, name)
	if err != nil {
		return "", err
	}
	password = passphrase()
	_, err = s.d.SetPassword(ctx, model.NewPassword{Token: token, Password: model.NewSecret(password), Confirm: model.NewSecret(password), Network: atHome})
	return password, err
}

func (s *story) signIn(ctx context.Context, login, password, device, network string) (model.SignedIn, error) {
	return s.d.SignIn(ctx, model.SignIn{Login: login, Password: model.NewSecret(password), Device: device, Network: network})
}

// actor is somebody of the office at work.
func actor(a model.Account) model.Actor {
	return model.PersonActor(a, inOffice)
}
