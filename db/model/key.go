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
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

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
//
// All copies of a ring are the same ring: what [Keyring.Take] changes in one is
// changed in all.
type Keyring struct{ *shared }

type shared struct {
	ring atomic.Pointer[ring]
	look func() // see Keyring.OnUnknown
}

type ring struct {
	keys    []masterKey
	derived sync.Map // of derivation and [masterKeyLen]byte
}

func newKeyring(keys ...masterKey) Keyring {
	k := Keyring{&shared{}}
	k.ring.Store(&ring{keys: keys})
	return k
}

func (k Keyring) keys() []masterKey { return k.ring.Load().keys }

// derivation is what a derived key is made of besides the master key itself.
type derivation struct{ id, purpose string }

// A ring is a field of other things, and fmt prints unexported fields without
// asking Format: Secret keeps its text from it even there.
type masterKey struct {
	id   string
	text Secret // the bytes
}

// NewKeyring is a ring of one new random key.
func NewKeyring() Keyring { return newKeyring(newMasterKey()) }

func newMasterKey() masterKey {
	key, id := make([]byte, masterKeyLen), make([]byte, 4)
	rand.Read(key)
	rand.Read(id)
	return masterKey{fmt.Sprintf("k%x", id), NewSecret(string(key))}
}

// Rotated is a ring with a new current key before the keys of this one.
func (k Keyring) Rotated() Keyring {
	return newKeyring(append([]masterKey{newMasterKey()}, k.keys()...)...)
}

// Without is a ring that lacks some keys. The current one always stays.
func (k Keyring) Without(ids ...string) Keyring {
	var kept []masterKey
	for i, key := range k.keys() {
		if i == 0 || !slices.Contains(ids, key.id) {
			kept = append(kept, key)
		}
	}
	return newKeyring(kept...)
}

// IDs names the keys, the current one first and the oldest last.
func (k Keyring) IDs() []string {
	var ids []string
	for _, key := range k.keys() {
		ids = append(ids, key.id)
	}
	return ids
}

// Take makes this ring the other one, for everybody who has a copy of it: the
// key file was changed while the portal runs.
func (k Keyring) Take(o Keyring) { k.ring.Store(o.ring.Load()) }

// ParseKeyring reads the lines of a key file: an id, a space, 32 bytes in
// base64. Empty lines and lines that begin with # say nothing. An id has no
// dot, which ends it in front of a signature.
func ParseKeyring(file []byte) (Keyring, error) {
	var keys []masterKey
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
		if slices.ContainsFunc(keys, func(known masterKey) bool { return known.id == id }) {
			return Keyring{}, fmt.Errorf("line %d repeats the key %s", n, strconv.Quote(id))
		}
		keys = append(keys, masterKey{id, NewSecret(string(key))})
	}
	if err := lines.Err(); err != nil {
		return Keyring{}, err
	}
	if len(keys) == 0 {
		return Keyring{}, errors.New("no key in it")
	}
	return newKeyring(keys...), nil
}

// File is the content of the key file.
func (k Keyring) File() []byte {
	var b bytes.Buffer
	b.WriteString("# Latchkey's keys. Whoever has this file and the database can open every account.\n" +
		"# Keep a copy apart from the database's backups. The first key is the current one.\n")
	for _, key := range k.keys() {
		fmt.Fprintf(&b, "%s %s\n", key.id, base64.StdEncoding.EncodeToString([]byte(key.text.Reveal())))
	}
	return b.Bytes()
}

// CurrentID names the key that new things are made with.
func (k Keyring) CurrentID() string { return k.keys()[0].id }

// Format keeps the keys out of every log line.
func (k Keyring) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// OnUnknown sets what is done before an id counts as unknown: another program may
// have put a key into the file a moment ago, and made something with it. It is
// set before the ring is used.
func (k Keyring) OnUnknown(look func()) { k.look = look }

// Derive gives the key of one purpose from the master key of that id. It is
// derived once: that takes 3 µs, and a Settings tab asks for three. There are
// as many as master keys and purposes, whatever ids a client makes up.
func (k Keyring) Derive(id, purpose string) ([]byte, error) {
	now := k.ring.Load()
	master, err := now.find(id)
	if err != nil && k.look != nil {
		k.look()
		now = k.ring.Load()
		master, err = now.find(id)
	}
	if err != nil {
		return nil, err
	}
	if known, ok := now.derived.Load(derivation{id, purpose}); ok {
		key := known.([masterKeyLen]byte)
		return key[:], nil
	}
	key, err := hkdf.Key(sha256.New, []byte(master.text.Reveal()), nil, "latchkey/v1/"+purpose, masterKeyLen)
	if err != nil {
		return nil, err
	}
	now.derived.Store(derivation{master.id, purpose}, [masterKeyLen]byte(key))
	return key, nil
}

func (r *ring) find(id string) (masterKey, error) {
	for _, key := range r.keys {
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
	id := k.CurrentID()
	tag, err := k.sign(id, purpose, fields)
	if err != nil {
		panic(err) // the current key stays in the ring: another one comes before it first
	}
	return append([]byte(id+"."), tag...)
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
	for {
		ids := k.IDs()
		if tag, err := k.sign(ids[len(ids)-1], purpose, raw); err == nil {
			return tag[:16]
		} // it was retired at this moment; the next oldest is there
	}
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
	id := SealedWith(box)
	if id == "" {
		return nil, errSealed
	}
	rest := box[1+len(id):]
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

// SealedWith names the key that Seal made a box with, "" for what is no box.
func SealedWith(box []byte) string {
	if len(box) == 0 || len(box) < 1+int(box[0]) {
		return ""
	}
	return string(box[1 : 1+int(box[0])])
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
