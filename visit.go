package session

import (
	"context"
	"fmt"

	"github.com/lazysession/session/internal/signed"
	"github.com/lazysession/session/store"
)

// A visit is what a Session knows once it is used: its token, the draft of its values, and how far both have come. It
// is apart from the Session so that one which is not used stays small. All of it is done under the Session's lock.
type visit struct {
	s      *Session
	at     store.Instant // of the first use, by the store's clock
	signed string        // the token, as the client sent it
	raw    signed.Raw    // of a session that was made or renewed here
	hash   store.Token   // of the token
	draft                // what the session holds; rec is kept when it has failed, for what must be told and for Reload
	next   signed.Raw    // whose hash is change.RenewTo

	state     state
	action    tokenAction
	refusal   signed.Refusal // why it is absent, where the request's tokens were refused
	unsure    bool           // a renewal to next was sent and had no answer
	made      bool           // the session was made by this request
	several   bool           // the client is told to forget what it can of tokens beside the one in use
	loggedOut bool           // this request has ended its session: only a Flash may be added after
	decided   bool           // whether the response is refused

	*trouble                 // nil until something has failed
	innermost *innerExchange // of Managers further in

	// For what a request that reads needs, so that it needs no allocation of its own.
	found   [1]string    // the request's token, where it has one
	loading storeContext // of the first load
	vary    [1]string    // a line of the response's header
}

// A state is how far a Session has come.
type state uint8

const (
	untouched state = iota // nothing was read, not even the cookie
	absent                 // there is no session; a write makes one
	fresh                  // made here, not in the store yet
	live                   // in the store, as rec
	ended                  // gone: no values, no changes
	retired                // another request has renewed the token: no values, no changes, and no word to the client
	failed                 // the store could not be reached, or what it did is unknown
)

// write runs f on a session that is made where there is none. If f fails, none is made.
func (v *visit) write(f func(v *visit) error) error {
	if v.loggedOut {
		return ErrEnded
	}
	return v.onceMade(f)
}

// onceMade runs f on a session that is made if there is none, and unmade if f fails.
func (v *visit) onceMade(f func(v *visit) error) error {
	made, err := v.create()
	if err == nil {
		err = f(v)
	}
	if err != nil && made && v.state == fresh {
		v.state = absent
		v.forget()
	}
	return err
}

// ready reads the session from the store, unless it was read before.
func (v *visit) ready(ctx context.Context) error {
	switch now := v.s.phase.Or(used); {
	case now&closed != 0:
		return fmt.Errorf("%w: the request is over", ErrTooLate)
	case now&refused != 0:
		return fmt.Errorf("%w: the response was refused: %w", ErrTooLate, v.s.x.refusal())
	}
	if v.state == untouched {
		if err := v.find(ctx); err != nil {
			return err
		}
	}
	if v.state == failed {
		return v.unavailable
	}
	return nil
}

// signer returns what signs the token and verifies it.
func (v *visit) signer() *signed.Signer {
	if m := v.s.m; m.auto != nil && v.s.x != nil && !v.s.x.overTLS {
		return m.auto.signer
	}
	return v.s.m.signer
}
