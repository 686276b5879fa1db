package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Token is the key of a record in a store: the SHA-256 hash of the raw token in the visitor's cookie. The raw token
// never reaches a store, so that a reader of a store or its backups can't take over a session.
type Token [sha256.Size]byte

// HashToken returns the Token of a raw token.
func HashToken(raw []byte) Token { return sha256.Sum256(raw) }

// String hides the token, since tokens don't belong in logs, not even hashed.
func (t Token) String() string { return "store.Token(…)" }

// Format hides the token from every verb, among them %x and %#v.
func (t Token) Format(f fmt.State, _ rune) { fmt.Fprint(f, t.String()) }

// MarshalText hides the token from JSON, as String hides it from texts.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// ID is the public identity of a session. It may be logged and listed, grants nothing, and survives renewals.
type ID [16]byte

// IsZero reports whether id is the zero ID, which no session has.
func (id ID) IsZero() bool { return id == ID{} }

// String returns id as 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText returns what String does.
func (id ID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err == nil {
		*id = parsed
	}
	return err
}

// ParseID reads an ID from the 32 hexadecimal digits that String writes.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != hex.EncodedLen(len(id)) {
		return ID{}, fmt.Errorf("store: id %q: want %d hexadecimal digits", s, hex.EncodedLen(len(id)))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("store: id %q: %w", s, err)
	}
	return id, nil
}
