package session

import (
	"iter"
	"log/slog"
	"time"

	"github.com/lazysession/session/store"
)

// A verdict is what the response has to tell the client of its token.
type verdict struct {
	action       tokenAction
	signed       string        // to be sent
	maxAge       time.Duration // how long the client should keep it; 0: until it quits
	forgetOthers bool          // that the client has beside it
}

// A tokenAction is what the response does with the client's token.
type tokenAction uint8

const (
	keepToken tokenAction = iota
	sendToken
	removeToken
)

// verdict returns what the response has to tell the client. Without a record there is no token to tell of.
func (s *Session) verdict() verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.visit
	switch {
	case v.action != sendToken:
		return verdict{action: v.action, forgetOthers: v.several}
	case v.rec == nil && v.loggedOut: // what was to come after the end could not be stored
		return verdict{action: removeToken, forgetOthers: v.several}
	case v.rec == nil:
		return verdict{}
	}
	token, err := v.tokenToSend()
	if err != nil { // can't be: the token that the client sent was valid
		s.m.log.LogAttrs(s.ctx, slog.LevelError, "session: signing", slog.Any("error", err))
		return verdict{}
	}
	return verdict{sendToken, token, v.maxAge(), v.several}
}

// An innerExchange is an exchange of a Manager inside this one. The client gets its tokens even if this response is
// refused: without them its visitors would lose their sessions.
type innerExchange struct {
	*exchange
	next *innerExchange
}

func (s *Session) keep(inner *exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.visitLocked()
	v.innermost = &innerExchange{inner, v.innermost}
}

// inner yields what keep was given.
func (s *Session) inner() iter.Seq[*exchange] {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.visit.innermost
	return func(yield func(*exchange) bool) {
		for i := first; i != nil && yield(i.exchange); i = i.next {
		}
	}
}

// tells reports whether the client is told of its token.
func (s *Session) tells() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.visit != nil && s.visit.action != keepToken
}

// tokenToSend returns the signed token that the client is to have. After a renewal that may have been made or not, it
// is the new one: the old one may open nothing any more.
func (v *visit) tokenToSend() (string, error) {
	if v.unsure {
		return v.signer().Sign(v.next, v.rec.Lifetime), nil
	}
	return v.sign(v.rec.Lifetime)
}

// maxAge is how long the client should keep the token: until the browser quits, or for the rest of the lifetime.
// The idle timeout would move with each use, and is the store's to judge.
func (v *visit) maxAge() time.Duration {
	if !v.rec.Persistent {
		return 0
	}
	end := v.rec.Created.Add(v.rec.Lifetime)
	return max(end.Sub(store.InstantOf(v.s.m.now())), time.Second)
}
