package stores

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// token makes the token of the n-th session. A random one would have to be kept, and be counted in the heap.
func token(n int) [32]byte {
	return sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

// scsToken has the form of those that scs makes.
func scsToken(n int) string {
	t := token(n)
	return base64.RawURLEncoding.EncodeToString(t[:])
}

// A value is one of those that all sessions have.
type value struct {
	name string
	of   any
	json string
}

// values are small, as most are. Sessions have the first of them, and a user.
var values = []value{
	{"hits", 42, "42"}, {"theme", "dark", `"dark"`}, {"lang", "en", `"en"`}, {"basket", "tea", `"tea"`},
}

// user returns the one value that differs between sessions.
func user(n int) int { return n%90_000 + 10_000 }
