package session

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lazysession/session/store"
)

// maxText limits owners and labels, in bytes.
const maxText = 255

func checkText(what, text string) error {
	if len(text) > maxText || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return fmt.Errorf("session: %s %.40q: want UTF-8 of at most %d bytes without NUL", what, text, maxText)
	}
	return nil
}

// SetOwner says whose session this is: any text of up to 255 bytes that identifies an account. It is the index for
// lists, for Config.MaxPerOwner and for "log out everywhere". The empty owner removes it from these. It makes a session
// where there is none. It is sent also where the owner is as it was: another request may be about to change it.
func (s *Session) SetOwner(owner string) error {
	return s.write(s.ctx, operation{kind: setOwner}, func(v *visit) error {
		if err := checkText("owner", owner); err != nil {
			return err
		}
		v.change.Owner, v.change.MaxPerOwner = &owner, v.s.m.cfg.MaxPerOwner
		return nil
	})
}

// Owner returns the owner of the session; empty where it has none or there is no session.
func (s *Session) Owner() (owner string, err error) {
	err = s.do(s.ctx, inspecting("Owner"), func(v *visit) error {
		switch {
		case v.change.Owner != nil:
			owner = *v.change.Owner
		case v.rec != nil:
			owner = v.rec.Owner
		}
		return nil
	})
	return owner, err
}

// SetLabel attaches a short text to the session that lists show (Info.Labels): the device or the place, say. An empty
// text removes it. Names and texts have up to 255 bytes, which count towards Config.MaxBytes. It makes a session where
// there is none.
func (s *Session) SetLabel(name, text string) error {
	return s.write(s.ctx, operation{kind: setLabel, name: name}, func(v *visit) error {
		if err := errors.Join(checkText("label name", name), checkText("label", text)); err != nil {
			return err
		}
		if name == "" {
			return errors.New("session: a label needs a name")
		}
		if rec := v.storedRecord(); rec != nil && rec.Labels[name] == text && v.change.Labels == nil {
			return nil
		}
		return v.setLabel(name, text, v.s.m.cfg.MaxBytes)
	})
}

// Persist says whether the cookie outlives the browser ("remember me"); it then lasts as long as the session's
// lifetime. The session itself still ends after its idle timeout: Remember sets all three. It makes a session where
// there is none, and returns ErrTooLate once the response has begun.
func (s *Session) Persist(on bool) error {
	return s.write(s.ctx, operation{kind: setTimes, name: "persistence"}, func(v *visit) error {
		if v.rec != nil && v.rec.Persistent == on {
			v.change.Persistent = nil
			return nil
		}
		if v.s.in(sealed) {
			return fmt.Errorf("%w: persistence needs a cookie", ErrTooLate)
		}
		v.change.Persistent = &on
		return nil
	})
}

// SetIdleTimeout sets after how long without use this session ends, instead of Config.IdleTimeout. It counts from now,
// and from each use after. One beyond the session's lifetime is no mistake here: the session then ends with its
// lifetime. It makes a session where there is none.
func (s *Session) SetIdleTimeout(d time.Duration) error {
	return s.write(s.ctx, operation{kind: setTimes, name: "idle timeout"}, func(v *visit) error {
		if err := checkTimeout("idle timeout", d); err != nil {
			return err
		}
		if rec := v.storedRecord(); rec != nil && rec.IdleTimeout == d {
			d = 0 // as it was
		}
		v.change.IdleTimeout = d
		return nil
	})
}

// SetLifetime sets how long after its creation this session ends, instead of Config.Lifetime. It makes a session where
// there is none, and returns ErrTooLate once the response has begun, for the cookie tells of it.
func (s *Session) SetLifetime(d time.Duration) error {
	return s.write(s.ctx, operation{kind: setTimes, name: "lifetime"}, func(v *visit) error {
		if err := checkTimeout("lifetime", d); err != nil {
			return err
		}
		if v.rec != nil && v.rec.Lifetime == d {
			v.change.Lifetime = 0 // as it was
			return nil
		}
		if v.s.in(sealed) {
			return fmt.Errorf("%w: a lifetime needs a cookie", ErrTooLate)
		}
		v.change.Lifetime = d
		return nil
	})
}

// storedRecord returns the record as the store had it; nil where there is none, or where the response has begun and
// it may be no more than this request's view.
func (v *visit) storedRecord() *store.Record {
	if v.s.in(sealed) {
		return nil
	}
	return v.rec
}
