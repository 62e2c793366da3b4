package model

import (
	"bufio"
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

const masterKeyLen = 32

// Keyring is the master keys of a portal. They live in a file beside the
// database and never in it. The first is current: new things are made with
// it; the others still open what was made before a rotation.
//
// No master key is ever used itself: each purpose has its own key, derived
// with HKDF-SHA-256 (RFC 5869), so a weakness in one use says nothing about
// another.
type Keyring struct {
	keys    []masterKey
	derived *sync.Map // of derivation and [masterKeyLen]byte; shared by all copies of the ring
}

// derivation is what a derived key is made of besides the master key itself.
type derivation struct{ id, purpose string }

// A ring is a field of other things, and fmt prints unexported fields without
// asking Format: Secret keeps its text from it even there.
type masterKey struct {
	id   string
	text Secret // the bytes
}

// NewKeyring is a ring of one new random key.
func NewKeyring() Keyring {
	key, id := make([]byte, masterKeyLen), make([]byte, 4)
	rand.Read(key)
	rand.Read(id)
	return Keyring{keys: []masterKey{{fmt.Sprintf("k%x", id), NewSecret(string(key))}}, derived: &sync.Map{}}
}

// ParseKeyring reads the lines of a key file: an id, a space, 32 bytes in
// base64. Empty lines and lines that begin with # say nothing. An id has no
// dot, which ends it in front of a signature.
func ParseKeyring(file []byte) (Keyring, error) {
	k := Keyring{derived: &sync.Map{}}
	lines := bufio.NewScanner(bytes.NewReader(file))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, coded, ok := strings.Cut(line, " ")
		key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(coded))
		if !ok || err != nil || len(key) != masterKeyLen || len(id) > 32 || strings.Contains(id, ".") {
			return Keyring{}, fmt.Errorf("line %d is not a key", n)
		}
		if _, err := k.find(id); err == nil {
			return Keyring{}, fmt.Errorf("line %d repeats the key %s", n, strconv.Quote(id))
		}
		k.keys = append(k.keys, masterKey{id, NewSecret(string(key))})
	}
	if err := lines.Err(); err != nil {
		return Keyring{}, err
	}
	if len(k.keys) == 0 {
		return Keyring{}, errors.New("no key in it")
	}
	return k, nil
}

// File is the content of the key file.
func (k Keyring) File() []byte {
	var b bytes.Buffer
	b.WriteString("# Latchkey's keys. Whoever has this file and the database can open every account.\n" +
		"# Keep a copy apart from the database's backups. The first key is the current one.\n")
	for _, key := range k.keys {
		fmt.Fprintf(&b, "%s %s\n", key.id, base64.StdEncoding.EncodeToString([]byte(key.text.Reveal())))
	}
	return b.Bytes()
}

// CurrentID names the key that new things are made with.
func (k Keyring) CurrentID() string { return k.keys[0].id }

// Format keeps the keys out of every log line.
func (k Keyring) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// Derive gives the key of one purpose from the master key of that id. It is
// derived once: that takes 3 µs, and a Settings tab asks for three. There are
// as many as master keys and purposes, whatever ids a client makes up.
func (k Keyring) Derive(id, purpose string) ([]byte, error) {
	master, err := k.find(id)
	if err != nil {
		return nil, err
	}
	if known, ok := k.derived.Load(derivation{id, purpose}); ok {
		key := known.([masterKeyLen]byte)
		return key[:], nil
	}
	key, err := hkdf.Key(sha256.New, []byte(master.text.Reveal()), nil, "latchkey/v1/"+purpose, masterKeyLen)
	if err != nil {
		return nil, err
	}
	k.derived.Store(derivation{master.id, purpose}, [masterKeyLen]byte(key))
	return key, nil
}

func (k Keyring) find(id string) (masterKey, error) {
	for _, key := range k.keys {
		if key.id == id {
			return key, nil
		}
	}
	return masterKey{}, fmt.Errorf("the key %s is not in the key file", strconv.Quote(id))
}

// Sign is the tag of a message under the current key of a purpose: for
// cookies and form fields that come back to us. It begins with the id of the
// key, so that it can be verified after a rotation.
func (k Keyring) Sign(purpose string, fields ...[]byte) []byte {
	tag, err := k.sign(k.CurrentID(), purpose, fields)
	if err != nil {
		panic(err) // the current key is always in the ring
	}
	return append([]byte(k.CurrentID()+"."), tag...)
}

// Verify reports whether tag was made by Sign over the same purpose and fields.
func (k Keyring) Verify(tag []byte, purpose string, fields ...[]byte) bool {
	id, sum, ok := bytes.Cut(tag, []byte("."))
	if !ok {
		return false
	}
	want, err := k.sign(string(id), purpose, fields)
	return err == nil && hmac.Equal(want, sum)
}

func (k Keyring) sign(id, purpose string, fields [][]byte) ([]byte, error) {
	key, err := k.Derive(id, purpose)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	for _, f := range fields {
		writeField(mac, f)
	}
	return mac.Sum(nil), nil
}

// Blind turns something that must be recognised but not kept (a typed login,
// a client's network) into 16 bytes under a key that is not in the database.
func (k Keyring) Blind(purpose string, fields ...string) []byte {
	raw := make([][]byte, len(fields))
	for i, f := range fields {
		raw[i] = []byte(f)
	}
	// The oldest key, not the current one: a rotation must not make everybody
	// unknown at once.
	tag, err := k.sign(k.keys[len(k.keys)-1].id, purpose, raw)
	if err != nil {
		panic(err) // that key is in the ring
	}
	return tag[:16]
}

// Seal encrypts a value for one place in the database: table, column and row
// are bound to it, so a sealed value copied to another row does not open
// (XChaCha20-Poly1305; its 24-byte nonce may be drawn at random).
func (k Keyring) Seal(table, column string, row int64, plain []byte) ([]byte, error) {
	id := k.CurrentID()
	aead, err := k.sealer(id)
	if err != nil {
		return nil, err
	}
	box := append([]byte{byte(len(id))}, id...)
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce)
	box = append(box, nonce...)
	return aead.Seal(box, nonce, plain, sealPlace(table, column, row)), nil
}

var errSealed = errors.New("a sealed value does not open: it was made with another key, or is damaged")

// Open decrypts what Seal made for the same place.
func (k Keyring) Open(table, column string, row int64, box []byte) ([]byte, error) {
	if len(box) == 0 || len(box) < 1+int(box[0]) {
		return nil, errSealed
	}
	end := 1 + int(box[0])
	id, rest := string(box[1:end]), box[end:]
	aead, err := k.sealer(id)
	if err != nil {
		return nil, err
	}
	if len(rest) < aead.NonceSize() {
		return nil, errSealed
	}
	nonce, sealed := rest[:aead.NonceSize()], rest[aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, sealed, sealPlace(table, column, row))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

func (k Keyring) sealer(id string) (cipher.AEAD, error) {
	key, err := k.Derive(id, "seal")
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.NewX(key)
}

func sealPlace(table, column string, row int64) []byte {
	var b bytes.Buffer
	writeField(&b, []byte(table))
	writeField(&b, []byte(column))
	writeField(&b, binary.BigEndian.AppendUint64(nil, uint64(row)))
	return b.Bytes()
}

// writeField writes a length before the bytes. Neither a hash nor a buffer
// ever fails to take them.
func writeField(w io.Writer, field []byte) {
	_, _ = w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(field))))
	_, _ = w.Write(field)
}
