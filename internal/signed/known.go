package signed

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"sync/atomic"

	"github.com/lazysession/session/store"
)

// Tokens whose signature has been verified are known again for a while without doing it anew: that takes longer than all
// the rest of a request which reads a value. They are known by their fingerprints, so that neither a token nor a time
// that it takes to compare one is to be had from here.

// knownFor is how long a token is known, and so how much older than it may its signature can get. Clocks of nodes may
// differ by as much.
const knownFor = ClockSlack

// At most segmentCount times segmentSlots tokens are known, of 80 bytes each. A few take few segments: a table of all
// slots would be a megabyte of pointers for the garbage collector to look through, however few visitors there are.
const (
	segmentCount = 1 << 12
	segmentSlots = 1 << 5
)

// knownTokens are fingerprints of signed tokens. An entry replaces the one in its slot, so they never take more room. Only
// verified tokens enter. Goroutines may share it.
type knownTokens struct {
	segments [segmentCount]atomic.Pointer[segment] // nil until something is in it
}

type segment [segmentSlots]atomic.Pointer[knownToken]

type knownToken struct {
	print fingerprint
	hash  store.Token
	until store.Instant
}

// A fingerprint is the SHA-256 of a signed token.
type fingerprint [sha256.Size]byte

// printOf returns the fingerprint of what looks like a signed token. All that are signed from 2001 to 2286 end with the
// same padding, which is left out: with it they would take a third block of the hash function. Others have no fingerprint.
func printOf(signed string) (p fingerprint, ok bool) {
	body, ok := strings.CutSuffix(signed, "==")
	if !ok {
		return fingerprint{}, false
	}
	var buf [128]byte
	return sha256.Sum256(append(buf[:0], body...)), true
}

func (p *fingerprint) segment() int { return int(binary.LittleEndian.Uint16(p[:])) % segmentCount }

func (p *fingerprint) slot() int { return int(p[2]) % segmentSlots }

func (k *knownTokens) find(p fingerprint, now store.Instant) (t store.Token, ok bool) {
	in := k.segments[p.segment()].Load()
	if in == nil {
		return store.Token{}, false
	}
	known := in[p.slot()].Load()
	if known == nil || known.print != p || now >= known.until {
		return store.Token{}, false
	}
	return known.hash, true
}

func (k *knownTokens) add(p fingerprint, t store.Token, now store.Instant) {
	at := &k.segments[p.segment()]
	if at.Load() == nil {
		at.CompareAndSwap(nil, new(segment))
	}
	at.Load()[p.slot()].Store(&knownToken{print: p, hash: t, until: now.Add(knownFor)})
}
