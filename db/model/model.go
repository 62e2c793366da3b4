// Package model holds the nouns of the portal and the rules about them.
//
// Everything here is a value or a pure function of facts and a moment. It
// cannot spell SQL, HTTP, HTML or the environment, and it never asks for the
// time: whoever calls says what time it is, so that both sides of every
// boundary can be tested to the second.
//
// It imports the standard library, x/crypto and x/text. Rooms db, views and
// handlers build on it; it knows none of them.
package model

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
)

// Kind says what sort of thing went wrong, so that the edge can choose a
// status and a page without reading the words.
type Kind int

// The kinds of error that an act can end with.
const (
	KindInternal    Kind = iota // nobody's fault at the desk: a fault of ours or of the machine
	KindInvalid                 // what was typed cannot be taken; Fields says where
	KindNotFound                // no such thing, or none that this person may know of
	KindForbidden               // a role that is not enough
	KindConflict                // somebody else changed it first
	KindLimited                 // too often; RetryAfter says when again
	KindUnavailable             // the portal is too busy; RetryAfter says when again
	KindSignIn                  // login and password do not fit
	KindLinkEnded               // the link was live when the form was opened and is no more; its own page says why
)

// Error is an outcome that a person may be told about. Sentence is written
// for that person; the wrapped cause is for the log alone.
type Error struct {
	Kind       Kind
	Sentence   string
	Fields     Fields
	RetryAfter time.Duration
}

// Error gives the sentence, and the fields when there are any.
func (e *Error) Error() string {
	if len(e.Fields) == 0 {
		return e.Sentence
	}
	return e.Sentence + " (" + strings.Join(slices.Sorted(maps.Keys(e.Fields)), ", ") + ")"
}

// Fields maps the name of a form field to the sentence shown beside it.
type Fields map[string]string

// Add notes a sentence for a field. The first one stays: one unmet
// requirement at a time is as much as a person can mend.
func (f Fields) Add(field, sentence string) {
	if _, ok := f[field]; !ok && sentence != "" {
		f[field] = sentence
	}
}

// Err is nil when there is nothing to say.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Kind: KindInvalid, Sentence: "Please check what is marked below.", Fields: f}
}

// Invalid is an error about one field.
func Invalid(field, sentence string) error {
	return Fields{field: sentence}.Err()
}

// NotFound says that there is no such thing.
func NotFound(sentence string) error { return &Error{Kind: KindNotFound, Sentence: sentence} }

// Forbidden says that a role is not enough.
func Forbidden(sentence string) error { return &Error{Kind: KindForbidden, Sentence: sentence} }

// Conflict says that somebody else was first.
func Conflict(sentence string) error { return &Error{Kind: KindConflict, Sentence: sentence} }

// Limited says that it was too often, and when it may be tried again.
func Limited(sentence string, after time.Duration) error {
	return &Error{Kind: KindLimited, Sentence: sentence, RetryAfter: after}
}

// Unavailable says that the portal is too busy just now.
func Unavailable(sentence string, after time.Duration) error {
	return &Error{Kind: KindUnavailable, Sentence: sentence, RetryAfter: after}
}

// KindOf gives the kind of the first *Error in err's chain, or KindInternal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindInternal
}

// Secret is a text that must reach its reader and nobody else: a link, a
// code, a password. Printed by fmt, slog or JSON it shows "[redacted]", so a
// careless log line gives nothing away; Reveal is the one way to the text and
// easy to search for.
//
// The text is behind a pointer, because fmt prints unexported fields of a
// struct around a Secret without asking Format: it then shows an address.
type Secret struct{ text *string }

const redacted = "[redacted]"

// NewSecret wraps a text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// Reveal gives the text itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no text.
func (s Secret) IsZero() bool { return s.text == nil }

// String and its kin never give the text away.
func (s Secret) String() string { return redacted }

// GoString is String for %#v.
func (s Secret) GoString() string { return redacted }

// Format is String for every verb, also %x and %q, which would otherwise
// reach into the struct.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue is String for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText is String for JSON and everything else that encodes text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
