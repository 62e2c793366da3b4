package model

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// keepers are the password managers and devices that keep passkeys, by the
// AAGUID that they put into a new one (WebAuthn Level 3, §6.5.1; the numbers are
// from github.com/passkeydeveloper/passkey-authenticator-aaguids). Anything can
// claim to be any of them: it helps people to tell their own apart, and decides
// nothing.
var keepers = map[string]string{
	"ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4": "Google Password Manager",
	"fbfc3007-154e-4ecc-8c0b-6e020557d7bd": "Apple Passwords",
	"dd4ec289-e01d-41c9-bb89-70fa845d4bf2": "Apple Passwords",
	"adce0002-35bc-c60a-648b-0b25f1f05503": "Chrome on a Mac",
	"08987058-cadc-4b81-b6e1-30de50dcbe96": "Windows Hello",
	"9ddd1817-af5a-4672-a2b9-3e3dd95000a9": "Windows Hello",
	"6028b017-b1d4-4c02-b4b3-afcdafc96bb2": "Windows Hello",
	"bada5566-a7aa-401f-bd96-45619a55120d": "1Password",
	"d548826e-79b4-db40-a3d8-11116f7e8349": "Bitwarden",
	"531126d6-e717-415c-9320-3d9aa6981239": "Dashlane",
	"53414d53-554e-4700-0000-000000000000": "Samsung Pass",
	"fdb141b2-5d84-443e-8a35-4698c205a502": "KeePassXC",
	"0ea242b4-43c4-4a1b-8b17-dd6d0b6baec6": "Keeper",
	"f3809540-7f14-49c1-a8b3-8f813b225541": "Enpass",
	"b84e4048-15dc-4dd0-8640-f4f60813c8af": "NordPass",
	"50726f74-6f6e-5061-7373-50726f746f6e": "Proton Pass",
	"cb69481e-8ff7-4039-93ec-0a2729a154a8": "YubiKey",
	"ee882879-721c-4913-9775-3dfcce97072a": "YubiKey",
	"fa2b99dc-9e39-4257-8f92-4a30d23c4118": "YubiKey",
	"2fc0579f-8113-47ea-b116-bb5a8db9202a": "YubiKey",
}

// NewPasskeyName is what a new passkey is called until its holder knows better:
// by what keeps it, as far as that says who it is, and the browser it was made
// in.
func NewPasskeyName(aaguid []byte, device string) string {
	if len(aaguid) != 16 {
		return device
	}
	written := fmt.Sprintf("%x-%x-%x-%x-%x", aaguid[:4], aaguid[4:6], aaguid[6:8], aaguid[8:10], aaguid[10:]) // RFC 9562 §4
	if keeper, ok := keepers[written]; ok && keeper != device {
		return keeper + " (" + device + ")"
	}
	return device
}

// PasskeyNameMax is how many characters a name may have.
const PasskeyNameMax = 60

// CleanPasskeyName makes one line of what was typed. The sentence is "" if it
// will do.
func CleanPasskeyName(typed string) (name, sentence string) {
	name = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, typed)), " ")
	switch {
	case name == "":
		return name, "Please type a name, such as “my telephone”."
	case utf8.RuneCountInString(name) > PasskeyNameMax:
		return name, "A name has at most 60 characters."
	}
	return name, ""
}
