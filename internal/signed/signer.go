// Package signed has the tokens of sessions in the form that travels: signed, so that a store is asked for none that
// nobody was given.
//
// A token has three forms. The raw one is 32 random bytes, which exist in the client and in the memory of one request.
// Signed it travels, in the format of github.com/gorilla/securecookie. Stores know its hash.
package signed

import (
	"slices"
	"strings"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/lazysession/session/store"
)

const (
	// ClockSlack is how far the clocks of two nodes may differ before one refuses a token that the other has signed.
	// The store has the last word on when a session ends.
	ClockSlack = 10 * time.Minute

	// ageless marks the token of a session that outlives Config.Lifetime. Its signature has no age of its own, so that
	// "remember me" can last longer than a key's tokens do otherwise.
	ageless = "."

	// agelessPurpose, after the cookie's name, is what an ageless signature covers. No cookie's name has a space, so
	// that one is never the aged signature of a cookie with another name.
	agelessPurpose = " ageless"

	// MaxLen is longer than any token that Sign returns, and keeps garbage from the verifier.
	MaxLen = 256

	// MaxCandidates limits how many tokens one request may carry, be they valid, garbage or the same. A client sends one.
	MaxCandidates = 16
)

// A Signer signs tokens and verifies them. The signature covers the cookie's name, so that no token signed with the
// same keys for another purpose passes. Goroutines may share it.
type Signer struct {
	name     string
	lifetime time.Duration
	pen      *pen                         // of the first key
	aged     []*securecookie.SecureCookie // one for each key, to verify
	ageless  []*securecookie.SecureCookie
	known    knownTokens
}

// New returns a Signer for the cookie of a name. The first key signs, all verify; there is at least one. Signatures of
// sessions that live no longer than lifetime age with it.
func New(name string, keys [][]byte, lifetime time.Duration) *Signer {
	s := &Signer{name: name, lifetime: lifetime, pen: newPen(keys[0])}
	for _, key := range keys {
		maxAge := int((lifetime + ClockSlack).Seconds())
		s.aged = append(s.aged, newCodec(key, maxAge))
		s.ageless = append(s.ageless, newCodec(key, 0))
	}
	return s
}

func newCodec(key []byte, maxAge int) *securecookie.SecureCookie {
	return securecookie.New(key, nil).MaxAge(maxAge).SetSerializer(securecookie.NopEncoder{})
}

// Sign returns the signed form of a token, for a session of the given lifetime.
func (s *Signer) Sign(t Raw, lifetime time.Duration) string {
	if lifetime <= s.lifetime {
		return s.pen.sign(s.name, t)
	}
	return ageless + s.pen.sign(s.name+agelessPurpose, t)
}

// Verify returns the hash of the token in its signed form, and whether one of the keys signed it.
func (s *Signer) Verify(signed string) (t store.Token, ok bool) {
	if len(signed) > MaxLen {
		return store.Token{}, false
	}
	print, usual := printOf(signed)
	now := store.InstantOf(time.Now()) // as securecookie reads it
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

// Open returns the token in its signed form, and whether one of the keys signed it, however long ago.
func (s *Signer) Open(signed string) (t Raw, ok bool) { return s.open(signed, s.ageless) }

// open returns the token in its signed form, and whether one of the keys signed it. The codecs, aged or ageless, say
// whether the age of a signature that has one counts.
func (s *Signer) open(signed string, codecs []*securecookie.SecureCookie) (t Raw, ok bool) {
	name := s.name
	if rest, found := strings.CutPrefix(signed, ageless); found {
		signed, codecs, name = rest, s.ageless, s.name+agelessPurpose
	}
	for _, codec := range codecs {
		var raw []byte
		if codec.Decode(name, signed, &raw) == nil && len(raw) == len(t) {
			return Raw(raw), true
		}
	}
	return Raw{}, false
}

// Pick returns the one valid token among those that a request carries. Where there are two different valid ones, the
// store has to say which of them are live.
func (s *Signer) Pick(candidates []string) (token Token, why Refusal) {
	if len(candidates) > MaxCandidates {
		return Token{}, TooMany
	}
	why = NoToken
	for i, candidate := range candidates {
		if slices.Contains(candidates[:i], candidate) {
			continue
		}
		hash, ok := s.Verify(candidate)
		switch {
		case !ok:
			why = max(why, Invalid)
		case why == Accepted && hash != token.Hash:
			return Token{}, Several
		default:
			token, why = Token{candidate, hash}, Accepted
		}
	}
	return token, why
}

// A Token is a token that one of the keys has signed, as it came and hashed.
type Token struct {
	Signed string
	Hash   store.Token
}

// Verified returns the valid tokens among those that a request carries, each once.
func (s *Signer) Verified(candidates []string) []Token {
	var valid []Token
	for _, signed := range candidates {
		hash, ok := s.Verify(signed)
		if ok && !slices.ContainsFunc(valid, func(t Token) bool { return t.Hash == hash }) {
			valid = append(valid, Token{signed, hash})
		}
	}
	return valid
}

// A Refusal is why a request has no valid token.
type Refusal uint8

// The refusals, in the order of what they say. Accepted is none.
const (
	NoToken Refusal = iota
	Invalid
	Accepted
	Several // valid ones
	TooMany
)

// String says it for the debug log.
func (r Refusal) String() string {
	return [...]string{"no token", "not valid", "accepted", "valid tokens of several sessions", "too many tokens"}[r]
}
