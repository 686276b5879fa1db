package signed

import (
	"crypto/rand"

	"github.com/lazysession/session/store"
)

// A Raw is a raw token: the random secret that opens a session. It exists in the client, in the memory of one request,
// and in the memory of a session.Handle. Stores know its hash.
type Raw [32]byte

// NewRaw makes a raw token.
func NewRaw() Raw {
	var t Raw
	rand.Read(t[:]) // never fails: crypto/rand ends the program instead
	return t
}

// NewIdentity makes a raw token and an ID, both random: the ID says nothing about the token. It reads the random bytes
// of both at once.
func NewIdentity(t *Raw) (id store.ID) {
	var random [len(Raw{}) + len(store.ID{})]byte
	rand.Read(random[:])
	copy(t[:], random[:])
	copy(id[:], random[len(t):])
	return id
}
