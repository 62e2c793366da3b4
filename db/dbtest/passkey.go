package dbtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"latchkey/db/model"
)

// Authenticator is a device that keeps one passkey. What a browser or a device
// would see to can be told otherwise, as an attacker's would.
type Authenticator struct {
	Origin  string // that the browser writes down
	RPID    string
	Handle  []byte // of whose the passkey is; set when it is made
	ID      []byte
	AAGUID  [16]byte
	Counter uint32
	Flags   byte // user present 1, verified 4

	key *ecdsa.PrivateKey
}

// NewAuthenticator is an honest one for a portal at http://localhost:8080.
func NewAuthenticator(t testing.TB) *Authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &Authenticator{Origin: "http://localhost:8080", RPID: "localhost", ID: make([]byte, 16), Flags: 1 | 4, key: key}
	rand.Read(a.ID)
	return a
}

var b64 = base64.RawURLEncoding.EncodeToString

func (a *Authenticator) client(t testing.TB, kind, options string) []byte {
	t.Helper()
	var asked struct {
		Challenge string `json:"challenge"`
	}
	if err := json.Unmarshal([]byte(options), &asked); err != nil || asked.Challenge == "" {
		t.Fatalf("no challenge in %s: %v", options, err)
	}
	said, err := json.Marshal(map[string]any{"type": kind, "challenge": asked.Challenge, "origin": a.Origin, "crossOrigin": false})
	if err != nil {
		t.Fatal(err)
	}
	return said
}

func (a *Authenticator) data(flags byte) []byte {
	host := sha256.Sum256([]byte(a.RPID))
	return binary.BigEndian.AppendUint32(append(host[:], flags), a.Counter)
}

// Make makes the passkey: WebAuthn §6.5, attestation "none", in CBOR by hand.
func (a *Authenticator) Make(t testing.TB, ask model.AskPasskey) model.PasskeyAnswer {
	t.Helper()
	var asked struct {
		User struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	if err := json.Unmarshal([]byte(ask.Options), &asked); err != nil {
		t.Fatal(err)
	}
	var err error
	if a.Handle, err = base64.RawURLEncoding.DecodeString(asked.User.ID); err != nil {
		t.Fatal(err)
	}
	point, err := a.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	data := append(a.data(a.Flags|0x40), a.AAGUID[:]...)
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(a.ID))), a.ID...)
	data = append(data, 0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20) // EC2, ES256, P-256, x
	data = append(append(data, point[1:33]...), 0x22, 0x58, 0x20)                   // y
	data = append(data, point[33:]...)
	object := []byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58")
	object = append(append(object, byte(len(data))), data...)
	return answer(t, ask, a.ID, map[string]any{"clientDataJSON": b64(a.client(t, "webauthn.create", ask.Options)), "attestationObject": b64(object)})
}

// Use answers a question with the passkey.
func (a *Authenticator) Use(t testing.TB, ask *model.AskPasskey) model.PasskeyAnswer {
	t.Helper()
	if ask == nil {
		t.Fatal("no passkey is asked for")
	}
	client, data := a.client(t, "webauthn.get", ask.Options), a.data(a.Flags)
	hash := sha256.Sum256(client)
	hash = sha256.Sum256(append(data[:len(data):len(data)], hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, hash[:])
	if err != nil {
		t.Fatal(err)
	}
	response := map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)}
	if a.Handle != nil {
		response["userHandle"] = b64(a.Handle)
	}
	return answer(t, *ask, a.ID, response)
}

func answer(t testing.TB, ask model.AskPasskey, id []byte, response map[string]any) model.PasskeyAnswer {
	t.Helper()
	said, err := json.Marshal(map[string]any{"id": b64(id), "rawId": b64(id), "type": "public-key", "response": response,
		"clientExtensionResults": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	return model.PasskeyAnswer{Ticket: ask.Ticket, Credential: model.NewSecret(string(said))}
}
