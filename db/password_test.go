package db_test

import (
	"testing"

	"latchkey/db/dbtest"
	"latchkey/db/model"
)

// The command line names only an address; the words of the record that is
// there already count all the same.
func TestAnOwnerMadeOnTheMachineHasNoneOfTheirOwnWordsInThePassword(t *testing.T) {
	d, _ := dbtest.Open(t)
	id, err := d.AddMember(t.Context(), dbtest.Owner(t, d), model.Member{
		FirstName: "Nina", LastName: "Holmberg", Email: "nina@example.org", MemberNo: "R-20417", BirthDate: "1971-04-23",
	})
	must(t, err)
	must(t, d.CreateUser(t.Context(), dbtest.Owner(t, d), id, "nina@example.org", false))
	made := func(name, email, password string) error {
		_, err := d.MakeOwner(t.Context(), model.ShellActor(), model.NewOwner{Name: name, Email: email, Password: model.NewSecret(password)})
		return err
	}
	for _, password := range []string{"tulip holmberg lamp", "tulip lamp 20417 stone", "tulip lamp 1971 stone", "tulip anneliese lamp", "zitronenhutlau"} {
		if err := made("Anneliese", "nina@example.org", password); model.KindOf(err) != model.KindInvalid {
			t.Errorf("%q: %v", password, err)
		}
	}
	if err := made("Anneliese", "new@example.org", "tulip anneliese lamp"); model.KindOf(err) != model.KindInvalid {
		t.Errorf("a new owner's name: %v", err)
	}
	must(t, made("", "nina@example.org", "tulip lamp river stone"))
}

func TestNeitherOfTwoAddressesMayBeInThePassword(t *testing.T) {
	d, _ := dbtest.Open(t)
	id, err := d.AddMember(t.Context(), dbtest.Owner(t, d), model.Member{FirstName: "Nina", LastName: "Holm", Email: "walrus@gmail.com"})
	must(t, err)
	must(t, d.CreateUser(t.Context(), dbtest.Owner(t, d), id, "penguin@harbour.example", false))
	set := func(password string) error {
		_, err := d.SetPassword(t.Context(), model.NewPassword{
			Token: dbtest.Token(t, d, id), Password: model.NewSecret(password), Confirm: model.NewSecret(password),
		})
		return err
	}
	for _, password := range []string{"tulip walrus lamp", "tulip penguin lamp", "tulip harbour lamp"} {
		if model.KindOf(set(password)) != model.KindInvalid {
			t.Errorf("%q is taken", password)
		}
	}
	must(t, set("the gmail lamp tulip")) // half the world's
}
