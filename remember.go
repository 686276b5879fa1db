package session

import (
	"fmt"
	"time"

	"github.com/lazysession/session/store"
)

// Remember keeps the session for d from now ("remember me"), unused or not, also when the browser quits: it sets the
// idle timeout to d, the lifetime to what the session has lived plus d, and the cookie to outlive the browser, whatever
// they were before. No session lasts more than 100 years from the session's creation.
//
// Use moves the end of the idle time, not that of the lifetime: to remember a visitor for d from the last visit, call
// it at visits, once a day, say. It makes a session where there is none, and returns ErrTooLate once the response has
// begun, for the cookie tells of it.
func (s *Session) Remember(d time.Duration) error {
	return s.write(s.ctx, operation{kind: setTimes}, func(v *visit) error {
		if err := checkTimeout("remembering", d); err != nil {
			return err
		}
		if v.s.in(sealed) {
			return fmt.Errorf("%w: remembering needs a cookie", ErrTooLate)
		}
		v.change.IdleTimeout = d
		v.change.Lifetime = min(v.age()+d, maxTimeout)
		v.change.Persistent = new(true)
		return nil
	})
}

// age is how long ago the session was made.
func (v *visit) age() time.Duration {
	if v.rec == nil {
		return 0
	}
	return max(store.InstantOf(v.s.m.now()).Sub(v.rec.Created), 0)
}
