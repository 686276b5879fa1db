package session

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/lazysession/session/store"
)

// A rawToken is the random secret that opens a session. It exists in the client and in the memory of one request;
// stores know its hash.
type rawToken [32]byte

func newRawToken() rawToken {
	var t rawToken
	rand.Read(t[:]) // never fails: crypto/rand ends the program instead
	return t
}

// newIdentity makes a token and an ID that says nothing about it, of as many random bytes as both take.
func newIdentity(t *rawToken) (id ID) {
	var random [len(rawToken{}) + len(ID{})]byte
	rand.Read(random[:])
	copy(t[:], random[:])
	copy(id[:], random[len(t):])
	return id
}

const (
	// clockSlack is how far the clocks of two nodes may differ before one refuses a token that the other has signed.
	// The store has the last word on when a session ends.
	clockSlack = 10 * time.Minute

	// ageless marks the token of a session that outlives Config.Lifetime. Its signature has no age of its own, so that
	// "remember me" can last longer than a key's tokens do otherwise.
	ageless = "."

	// agelessPurpose, after the cookie's name, is what an ageless signature covers. No cookie's name has a space, so
	// that one is never the aged signature of a cookie with another name.
	agelessPurpose = " ageless"

	// maxSignedLen is longer than any token that sign returns, and keeps garbage from the verifier.
	maxSignedLen = 256

	// maxCandidates limits how many tokens one request may carry, be they valid, garbage or the same. A client sends one.
	maxCandidates = 16
)

// A signer signs tokens and verifies them. The signature covers the cookie's name, so that no token signed with the
// same keys for another purpose passes.
type signer struct {
	name     string
	lifetime time.Duration
	pen      *pen                         // of the first key
	aged     []*securecookie.SecureCookie // one for each key, to verify
	ageless  []*securecookie.SecureCookie
	known    knownTokens
}

func newSigner(name string, keys [][]byte, lifetime time.Duration) *signer {
	s := &signer{name: name, lifetime: lifetime, pen: newPen(keys[0])}
	for _, key := range keys {
		maxAge := int((lifetime + clockSlack).Seconds())
		s.aged = append(s.aged, newCodec(key, maxAge))
		s.ageless = append(s.ageless, newCodec(key, 0))
	}
	return s
}

func newCodec(key []byte, maxAge int) *securecookie.SecureCookie {
	return securecookie.New(key, nil).MaxAge(maxAge).SetSerializer(securecookie.NopEncoder{})
}

// sign returns the signed form of a token, for a session of the given lifetime.
func (s *signer) sign(t rawToken, lifetime time.Duration) string {
	if lifetime <= s.lifetime {
		return s.pen.sign(s.name, t)
	}
	return ageless + s.pen.sign(s.name+agelessPurpose, t)
}

// verify returns the hash of the token in its signed form, and whether one of the keys signed it.
func (s *signer) verify(signed string, now store.Instant) (t store.Token, ok bool) {
	if len(signed) > maxSignedLen {
		return store.Token{}, false
	}
	print, usual := printOf(signed)
	if usual {
		if t, ok = s.known.find(print, now); ok {
			return t, true
		}
	}
	raw, ok := s.open(signed, s.aged)
	if !ok {
		return store.Token{}, false
	}
	t = store.HashToken(raw[:])
	if usual {
		s.known.add(print, t, now)
	}
	return t, true
}

// open returns the token in its signed form, and whether one of the keys signed it. The codecs, aged or ageless, say
// whether the age of a signature that has one counts.
func (s *signer) open(signed string, codecs []*securecookie.SecureCookie) (t rawToken, ok bool) {
	name := s.name
	if rest, found := strings.CutPrefix(signed, ageless); found {
		signed, codecs, name = rest, s.ageless, s.name+agelessPurpose
	}
	for _, codec := range codecs {
		var raw []byte
		if codec.Decode(name, signed, &raw) == nil && len(raw) == len(t) {
			return rawToken(raw), true
		}
	}
	return rawToken{}, false
}

// pick returns the one valid token among those that a request carries, as it came and hashed. Where there are two
// different valid ones, the store has to say which of them are live.
func (s *signer) pick(candidates []string, now store.Instant) (signed string, t store.Token, why refusal) {
	if len(candidates) > maxCandidates {
		return "", store.Token{}, tooMany
	}
	why = noToken
	for i, candidate := range candidates {
		if slices.Contains(candidates[:i], candidate) {
			continue
		}
		found, ok := s.verify(candidate, now)
		switch {
		case !ok:
			why = max(why, badToken)
		case why == accepted && found != t:
			return "", store.Token{}, ambiguous
		default:
			signed, t, why = candidate, found, accepted
		}
	}
	return signed, t, why
}

// A validToken is a token that one of the keys has signed, as it came and hashed.
type validToken struct {
	signed string
	hash   store.Token
}

// verified returns the valid tokens among those that a request carries, each once.
func (s *signer) verified(candidates []string, now store.Instant) []validToken {
	var valid []validToken
	for _, signed := range candidates {
		hash, ok := s.verify(signed, now)
		if ok && !slices.ContainsFunc(valid, func(v validToken) bool { return v.hash == hash }) {
			valid = append(valid, validToken{signed, hash})
		}
	}
	return valid
}

// A refusal is why a request has no valid token.
type refusal uint8

const (
	noToken refusal = iota
	badToken
	accepted
	ambiguous
	tooMany
)

// String says it for the debug log.
func (r refusal) String() string {
	return [...]string{"no token", "not valid", "accepted", "valid tokens of several sessions", "too many tokens"}[r]
}
