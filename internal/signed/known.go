package signed

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"sync/atomic"

	"github.com/lazysession/session/store"
)

// A Signer remembers verified tokens for a while, and doesn't verify them again: that would take longer than all the
// rest of a request that reads a value. It remembers fingerprints of the tokens. So this memory holds no token, and the
// time of a comparison says nothing about one.

// knownFor is how long a token is known. So a signature is accepted for up to knownFor longer than its age allows, as
// much as the clocks of nodes may differ.
const knownFor = ClockSlack

// At most segmentCount times segmentSlots tokens are known, with 80 bytes for each. Few tokens need few segments. A
// table of all slots would be a megabyte of pointers, which the garbage collector would scan even if there are few
// visitors.
const (
	segmentCount = 1 << 12
	segmentSlots = 1 << 5
)

// knownTokens are the fingerprints of signed tokens. An entry replaces the one in its slot, so their number is limited.
// Only verified tokens enter. Goroutines may share it.
type knownTokens struct {
	segments [segmentCount]atomic.Pointer[segment] // nil until it has an entry
}

type segment [segmentSlots]atomic.Pointer[knownToken]

type knownToken struct {
	print fingerprint
	hash  store.Token
	until store.Instant
}

// A fingerprint is the SHA-256 of a signed token.
type fingerprint [sha256.Size]byte

// printOf returns the fingerprint of a text that has the form of a signed token. All tokens signed from 2001 to 2286
// end with the same padding. The fingerprint leaves it out, since with it they would take a third block of the hash
// function. Other texts have no fingerprint.
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
