package session

import (
	"context"

	"github.com/lazysession/session/store"
)

// Next counts one and returns the number of this count: 1, 2, 3 and so on, for numbers of tickets, visits or messages.
// No number is given twice, whichever requests on whichever nodes ask at the same time, unless one of them sets,
// deletes or clears the value.
//
// Next stores the count before it returns, in one round trip, and with it all other changes that this request has made;
// so it commits as Session.Commit does, also after the response has begun and outside HTTP, and with an error the same
// holds for those other changes. The count itself is then not made, or, with ErrOutcomeUnknown, perhaps: no later
// commit makes it. It makes a session where there is none, and returns what Add and Session.Commit do.
func (c Counter) Next(ctx context.Context) (int64, error) {
	return FromContext(ctx).countOne(ctx, c.key.name)
}

// countOne counts one in the value under name. All of it is done under one lock: else another goroutine of the request
// could add to the same change, and both would read the same sum.
func (s *Session) countOne(ctx context.Context, name valueName) (number int64, err error) {
	if err := name.check(); err != nil {
		return 0, s.settle(adding(name.text, 1), err)
	}
	err = s.write(ctx, adding(name.text, 1), func(v *visit) (err error) {
		takeBack := v.remember(name.text)
		if _, err = v.draft.add(name.text, 1, v.s.m.cfg.MaxBytes); err != nil {
			return err
		}
		if err = v.commit(ctx); err != nil {
			takeBack()
			return err
		}
		doc, _ := v.rec.Values.Get(name.text)
		if number, err = store.AddJSON(doc, 0); err != nil {
			return &ValueError{Name: name.text, Err: err}
		}
		return nil
	})
	return number, err
}
