package signed

import (
	"crypto/rand"

	"github.com/lazysession/session/store"
)

// A Raw is the random secret that opens a session. It exists in the client and in the memory of one request; stores know
// its hash.
type Raw [32]byte

// NewRaw makes a token.
func NewRaw() Raw {
	var t Raw
	rand.Read(t[:]) // never fails: crypto/rand ends the program instead
	return t
}

// NewIdentity makes a token and an ID that says nothing about it, of as many random bytes as both take.
func NewIdentity(t *Raw) (id store.ID) {
	var random [len(Raw{}) + len(store.ID{})]byte
	rand.Read(random[:])
	copy(t[:], random[:])
	copy(id[:], random[len(t):])
	return id
}
