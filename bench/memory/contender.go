package memory

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// A contender is one way to keep sessions in memory.
type contender struct {
	name string
	open func(sweep time.Time) stock // expired sessions are swept from then on; zero: never
}

var contenders = []contender{{"session", openOurs}, {"scs", openSCS}}

// A stock holds one contender's sessions.
type stock interface {
	put(n int, ends time.Time) error                 // makes the n-th session, of three small values
	reader(sessions []int) func(i int) error         // the function reads the i-th of sessions
	swept(sessions, heapBefore, heapAfter int) error // nil if half of the sessions are gone, not merely invisible
	close() error
}

// digest makes the n-th token. A random one would have to be kept, and be counted in the heap.
func digest(n int) [32]byte {
	return sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

// user is the one value that differs between sessions.
func user(n int) int { return n%90_000 + 10_000 }
