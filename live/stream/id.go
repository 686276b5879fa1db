package stream

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
)

// An ID is the identity of a socket: 16 random bytes. It is public: it may be logged and listed, and opens nothing by
// itself.
type ID [16]byte

// NewID returns a random ID.
func NewID() (id ID) {
	rand.Read(id[:])
	return id
}

// IsZero reports whether the ID is zero, which is no socket's.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the ID as 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText returns the ID as String does.
func (id ID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText reads an ID as ParseID does.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err == nil {
		*id = parsed
	}
	return err
}

var errID = errors.New("stream: an ID is 32 hexadecimal digits")

// ParseID reads an ID from the 32 hexadecimal digits of String.
func ParseID(s string) (id ID, err error) {
	if len(s) != hex.EncodedLen(len(id)) {
		return ID{}, errID
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, errID
	}
	return id, nil
}
