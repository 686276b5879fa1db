package session

import "context"

// get returns the JSON document under name, as this request sees it.
func (s *Session) get(ctx context.Context, name valueName) (doc string, ok bool, err error) {
	if err := name.check(); err != nil {
		return "", false, s.settle(reading(name.text), err)
	}
	err = s.do(ctx, reading(name.text), func(v *visit) (err error) {
		doc, ok, err = v.lookup(name.text)
		return err
	})
	return doc, ok, err
}

// set changes the document under name.
func (s *Session) set(ctx context.Context, name valueName, doc string) error {
	if err := name.check(); err != nil {
		return s.settle(changing(name.text), err)
	}
	return s.write(ctx, changing(name.text), func(v *visit) error {
		return v.draft.set(name.text, doc, v.s.m.cfg.MaxBytes)
	})
}

// delete removes the value under name. It makes no session where there is none.
func (s *Session) delete(ctx context.Context, name valueName) error {
	if err := name.check(); err != nil {
		return s.settle(changing(name.text), err)
	}
	return s.do(ctx, changing(name.text), func(v *visit) error {
		return v.ifThere(func() { v.draft.delete(name.text) })
	})
}

// take removes the value under name and returns its document. Of an ended session there is nothing to take, which is no
// loss.
func (s *Session) take(ctx context.Context, name valueName) (doc string, ok bool, err error) {
	if err := name.check(); err != nil {
		return "", false, s.settle(changing(name.text), err)
	}
	err = s.do(ctx, changing(name.text), func(v *visit) (err error) {
		doc, ok, err = v.draft.take(name.text)
		return err
	})
	return doc, ok, err
}

// add adds to the integer under name and returns the sum, as this request sees it.
func (s *Session) add(ctx context.Context, name valueName, delta int64) (sum int64, err error) {
	if err := name.check(); err != nil {
		return 0, s.settle(adding(name.text, delta), err)
	}
	err = s.write(ctx, adding(name.text, delta), func(v *visit) (err error) {
		sum, err = v.draft.add(name.text, delta, v.s.m.cfg.MaxBytes)
		return err
	})
	return sum, err
}

// Clear removes every value and keeps the session. Where there is none, it does nothing.
func (s *Session) Clear() error {
	return s.do(s.ctx, operation{kind: clearValues}, func(v *visit) error { return v.ifThere(v.clear) })
}

// ifThere makes a change of a session that there is, and none where there is no session.
func (v *visit) ifThere(change func()) error {
	switch {
	case v.state == ended, v.state == retired, v.loggedOut:
		return ErrEnded
	case v.state == live, v.state == fresh:
		change()
	}
	return nil
}
