package session

import (
	"context"

	"github.com/lazysession/session/store"
)

// Next counts one and returns the number of this count: 1, 2, 3 and so on, for numbers of tickets, visits or messages.
// No number is given twice, whichever requests on whichever nodes ask at the same time, unless one of them sets, deletes
// or clears the value.
//
// Next stores the count before it returns, in one round trip, and with it all other changes that this request has made;
// so it commits as Session.Commit does, also after the response has begun and outside HTTP, and with an error the same
// holds for those other changes. The count itself is then not made, or, with ErrOutcomeUnknown, perhaps: no later commit
// makes it. It makes a session where there is none, and returns what Add and Session.Commit do.
func (c Counter) Next(ctx context.Context) (int64, error) {
	if err := c.key.name.check(); err != nil {
		return 0, err
	}
	return FromContext(ctx).countOne(ctx, c.key.name.text)
}

// countOne counts one in the value under name. All of it is done under one lock: else another goroutine of the request could
// add to the same change, and both would read the same sum.
func (s *Session) countOne(ctx context.Context, name string) (int64, error) {
	if err := s.enterToWrite(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	takeBack := s.rememberLocked(name)
	if _, err := s.addLocked(name, 1); err != nil {
		return 0, err
	}
	if err := s.commitLocked(ctx); err != nil {
		takeBack()
		return 0, err
	}
	doc, _ := s.rec.Values.Get(name)
	number, err := store.AddJSON(doc, 0)
	if err != nil {
		return 0, &ValueError{Name: name, Err: err}
	}
	return number, nil
}
