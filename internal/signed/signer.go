// Package signed signs and verifies the tokens of sessions. A store is asked only for tokens that were signed.
//
// A token has three forms. The raw token is 32 random bytes, which exist in the client, in the memory of one request,
// and in that of a session.Handle. The signed token is the form that travels, in the format of
// github.com/gorilla/securecookie. Stores know the hash.
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
	// The store decides when a session ends.
	ClockSlack = 10 * time.Minute

	// ageless marks the token of a session that outlives Config.Lifetime. Its signature doesn't expire, so that "remember
	// me" can last longer than other tokens do.
	ageless = "."

	// agelessPurpose follows the cookie's name in the text that an ageless signature covers. No cookie's name has a
	// space, so an ageless signature is never valid as the aged signature of a cookie with another name.
	agelessPurpose = " ageless"

	// MaxLen is longer than any token that Sign returns. Longer texts are not verified at all.
	MaxLen = 256

	// MaxCandidates limits how many tokens one request may carry, valid or not, equal or not. A client sends one.
	MaxCandidates = 16
)

// A Signer signs tokens and verifies them. The signature covers the cookie's name, so that a text signed with the same
// keys for another purpose is not valid. Goroutines may share it.
type Signer struct {
	name     string
	lifetime time.Duration
	pen      *pen                         // of the first key
	aged     []*securecookie.SecureCookie // one for each key, to verify
	ageless  []*securecookie.SecureCookie
	known    knownTokens
}

// New returns a Signer for the cookie of a name. It needs at least one key: the first signs, all verify. Signatures of
// sessions that live no longer than lifetime expire after it.
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

// Verify returns the hash of a signed token, and whether one of the keys signed it and it has not expired.
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

// Open returns the raw form of a signed token, and whether one of the keys signed it, however long ago.
func (s *Signer) Open(signed string) (t Raw, ok bool) { return s.open(signed, s.ageless) }

// open returns the raw form of a signed token, and whether one of the keys signed it. The codecs, aged or ageless,
// decide whether the age of an aged signature counts.
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

// Pick returns the one valid token among those that a request carries. Where two different ones are valid, the store
// has to find out which of them are live.
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

// A Token is a valid token: its signed form and its hash.
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

// The refusals. Of several invalid candidates Pick returns the greatest. Accepted is no refusal.
const (
	NoToken Refusal = iota
	Invalid
	Accepted
	Several // valid ones
	TooMany
)

// String returns the text for the debug log.
func (r Refusal) String() string {
	return [...]string{"no token", "not valid", "accepted", "valid tokens of several sessions", "too many tokens"}[r]
}
