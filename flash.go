package session

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/lazysession/session/internal/jsonvalue"
	"github.com/lazysession/session/store"
)

// A FlashMessage is a message that is shown once.
type FlashMessage struct {
	Kind string `json:"kind"` // "info", "warning" or what else the page knows to show
	Text string `json:"text"`
}

// A Flash is the name of messages that are shown once, on the next page: after a redirect, say. Make flashes once, as
// package variables; any number of goroutines may use them.
//
// Each message is a value of its own, below the name of the Flash ("notice/…"), and counts towards Config.MaxBytes. So
// requests at the same time never lose each other's, and messages survive Session.Renew.
type Flash struct{ key Key[FlashMessage] }

// NewFlash returns the flash named name: 1 to 226 bytes of UTF-8 without NUL. It panics on another name, as NewKey
// does.
func NewFlash(name string) Flash {
	f := Flash{NewKey[FlashMessage](name)}
	mustName(name + "/" + flashID(0))
	return f
}

// Name returns the name below which the messages are kept.
func (f Flash) Name() string { return f.key.Name() }

// Add keeps a message until Take. It is stored when the response begins or at Session.Commit, with all else that the
// request changes, and makes a session where there is none. It returns what Key.Set does.
//
// Unlike other changes, Add is allowed after the request has called Session.End ("You have logged out"), until the
// response begins. It then makes a new session, with its own token and ID and without an owner, which has the messages
// and nothing else: for the rest of the request, all other changes still return ErrEnded. The one that was ended stays
// ended. A session that another request has ended or renewed takes no messages, and Add returns ErrEnded.
func (f Flash) Add(ctx context.Context, kind, text string) error {
	s := FromContext(ctx)
	if s.m == nil {
		return ErrNoMiddleware
	}
	op := operation{kind: addMessage, name: f.Name(), text: kind + "\x00" + text}
	doc, err := jsonvalue.Encode(FlashMessage{Kind: kind, Text: text})
	if err != nil {
		return s.settle(op, &ValueError{Name: f.Name(), Err: err})
	}
	name := f.key.Sub(flashID(store.InstantOf(s.m.now()))).name
	if err := errors.Join(f.key.name.check(), name.check()); err != nil {
		return s.settle(op, err)
	}
	return s.addFlash(ctx, op, name.text, doc)
}

// Take returns all messages, oldest first, and removes them. Where there are none, it changes nothing and makes no
// session. Two requests at once may both take a message. One that does not decode is removed as well, and a ValueError,
// beside which Take returns the others.
func (f Flash) Take(ctx context.Context) ([]FlashMessage, error) {
	s := FromContext(ctx)
	if err := f.key.name.check(); err != nil {
		return nil, s.settle(changing(f.Name()), err)
	}
	values, err := s.takeBelow(ctx, f.Name())
	if err != nil {
		return nil, err
	}
	var messages []FlashMessage
	var errs []error
	for _, v := range values {
		message, err := jsonvalue.Decode[FlashMessage](v.JSON)
		if err != nil {
			errs = append(errs, &ValueError{Name: v.Name, Err: err})
			continue
		}
		messages = append(messages, message)
	}
	return messages, s.settle(changing(f.Name()), errors.Join(errs...))
}

// addFlash sets a value of a flash. It is allowed after the request's own End: a new session begins then.
func (s *Session) addFlash(ctx context.Context, op operation, name, doc string) error {
	return s.do(ctx, op, func(v *visit) error {
		loggedOut := v.state == ended && v.loggedOut
		if loggedOut {
			v.state = absent
		}
		err := v.onceMade(func(v *visit) error { return v.draft.set(name, doc, v.s.m.cfg.MaxBytes) })
		if err != nil && loggedOut {
			v.state = ended
		}
		return err
	})
}

// takeBelow removes all values of a flash, and returns them in the order of store.CompareNames.
func (s *Session) takeBelow(ctx context.Context, flash string) (taken []store.Value, err error) {
	err = s.do(ctx, changing(flash), func(v *visit) error {
		view, err := v.current()
		if err != nil || view == nil {
			return fromStore(err)
		}
		for name, doc := range view.Values.All() {
			if id, ok := strings.CutPrefix(name, flash+"/"); ok && isFlashID(id) {
				taken = append(taken, store.Value{Name: name, JSON: doc})
				v.draft.delete(name)
			}
		}
		return nil
	})
	return taken, err
}

// isFlashID reports whether id could be one that flashID has made: other values below the name are left alone.
func isFlashID(id string) bool {
	_, err := hex.DecodeString(id)
	return err == nil && len(id) == len(flashID(0))
}

// newestFlash is the number of the newest message of this process.
var newestFlash atomic.Int64

// flashID returns an id that no other message has, and that comes after those of earlier messages of this process and,
// as far as their clocks agree, of other nodes: a number, which is the time in microseconds, moved on where that stands
// still, and a few random bytes.
func flashID(now store.Instant) string {
	var id [14]byte
	binary.BigEndian.PutUint64(id[:8], uint64(nextFlash(int64(now))))
	rand.Read(id[8:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(id[:])
}

func nextFlash(now int64) int64 {
	for {
		newest := newestFlash.Load()
		next := max(newest+1, now)
		if newestFlash.CompareAndSwap(newest, next) {
			return next
		}
	}
}
