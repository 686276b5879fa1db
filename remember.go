package session

import (
	"fmt"
	"time"

	"github.com/lazysession/session/store"
)

// Remember keeps the session for d from now ("remember me"), unused or not, also when the browser quits: it sets the idle
// timeout to d, the lifetime to what the session has lived plus d, and the cookie to outlive the browser, whatever they
// were before. Nobody is remembered for more than 100 years from the session's creation.
//
// Use moves the end of the idle time, not that of the lifetime: to remember a visitor for d from the last visit, call it
// at visits, once a day, say. It makes a session where there is none, and returns ErrTooLate once the response has
// begun, for the cookie tells of it.
func (s *Session) Remember(d time.Duration) error {
	return s.write(s.ctx, operation{setTimes, "remembering"}, func() error {
		if err := checkTimeout("remembering", d); err != nil {
			return err
		}
		if s.in(sealed) {
			return fmt.Errorf("%w: remembering needs a cookie", ErrTooLate)
		}
		s.change.IdleTimeout = d
		s.change.Lifetime = min(s.ageLocked()+d, maxTimeout)
		s.change.Persistent = new(true)
		return nil
	})
}

// ageLocked is how long ago the session was made.
func (s *Session) ageLocked() time.Duration {
	if s.rec == nil {
		return 0
	}
	return max(store.InstantOf(s.m.now()).Sub(s.rec.Created), 0)
}
