package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/lazysession/session/store"
)

// A Session is one visitor's state, as one request sees it. Values are reached through keys and counters. Nothing is
// read before the first use of it, and changes gather until the response begins, which commits them in one step.
//
// A Session may be used by many goroutines at once. Once its request is over, every operation returns ErrTooLate.
type Session struct {
	m   *Manager
	x   *exchange       // nil outside HTTP
	ctx context.Context // of the request, or of Create or Open

	mu sync.Mutex
	// mu locks the remaining fields, and is held while the store is called.
	state  state
	sealed bool // the response has begun: the client can't be told of a token any more
	closed bool // the request is over

	raw    rawToken      // of a live or fresh session
	token  store.Token   // its hash
	rec    *store.Record // of a live session; kept when it has failed, for what must be told and for Reload
	change store.Change  // what this request did and has not committed
	next   rawToken      // whose hash is change.RenewTo
	err    error         // why it is failed
	lost   error         // why a change was lost; nil if none was
	size   int           // bytes of rec's values with change; counted at the first write, 0 before
	tell   tell          // what the response tells the client

	refusal refusal // why it is absent, where the request's tokens were refused
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

// A tell is what the response tells the client about its token.
type tell uint8

const (
	tellNothing tell = iota
	tellToken
	tellRemove
)

// noMiddleware is the Session of a context without one.
var noMiddleware = &Session{}

type contextKey struct{}

// FromContext returns the session of the innermost Manager that ctx has passed. It never returns nil: without the
// middleware, every operation of the Session returns ErrNoMiddleware.
func FromContext(ctx context.Context) *Session {
	if s, ok := ctx.Value(contextKey{}).(*Session); ok && s != nil {
		return s
	}
	return noMiddleware
}

// NewContext returns a context that carries s, for keys and FromContext: a session from Manager.Create or Manager.Open,
// say.
func NewContext(ctx context.Context, s *Session) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// enter locks the session and reads it from the store, if nobody has yet. The caller unlocks it, unless there is an
// error.
func (s *Session) enter(ctx context.Context) error {
	if s.m == nil {
		return ErrNoMiddleware
	}
	s.mu.Lock()
	ready := false
	defer func() { // also when a store or a carrier panics
		if !ready {
			s.mu.Unlock()
		}
	}()
	err := s.readyLocked(ctx)
	ready = err == nil
	return err
}

// enterToChange is enter for changes, which are lost where the store can't be reached.
func (s *Session) enterToChange(ctx context.Context) error {
	err := s.enter(ctx)
	if errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lost = err
	}
	return err
}

func (s *Session) readyLocked(ctx context.Context) error {
	if s.closed {
		return fmt.Errorf("%w: the request is over", ErrTooLate)
	}
	if s.state == untouched {
		if err := s.findLocked(ctx); err != nil {
			return err
		}
	}
	if s.state == failed {
		return s.err
	}
	return nil
}

var errTwice = errors.New("session: one Manager wraps this route twice")

// findLocked looks for the request's token and, where there is a valid one, loads its record. It fails as loadLocked.
func (s *Session) findLocked(ctx context.Context) error {
	if _, twice := s.x.parent.Value(s.m).(*Session); twice {
		s.state, s.err = failed, errTwice
		return s.err
	}
	raw, why := s.m.signer.pick(s.x.tokens())
	if why == accepted {
		return s.loadLocked(ctx, raw)
	}
	s.state, s.refusal = absent, why
	if why != noToken {
		s.debugRefused(why.String())
	}
	return nil
}

// loadLocked loads the record of a token. It returns an error only where ctx is done: that says nothing of the store,
// and nothing of the session to who asks with another context.
func (s *Session) loadLocked(ctx context.Context, raw rawToken) error {
	s.raw, s.token = raw, store.HashToken(raw[:])
	rec, err := s.m.load(ctx, s.token)
	switch {
	case err == nil:
		s.state, s.rec, s.size = live, rec, 0
	case errors.Is(err, store.ErrNotFound):
		s.state = absent
		s.debugRefused("unknown or expired")
	case errors.Is(err, store.ErrRetired):
		s.state = retired
		s.debugRefused("renewed")
	case ctx.Err() != nil:
		return fmt.Errorf("%w: loading: %w", ErrUnavailable, err)
	default:
		s.failLocked("loading", err)
	}
	return nil
}

// debugRefused logs with the context from before this session: a log handler that asks the context for the session's ID
// would else wait for the lock that is held here.
func (s *Session) debugRefused(why string) {
	if s.m.log.Enabled(s.ctx, slog.LevelDebug) {
		s.m.log.LogAttrs(s.ctx, slog.LevelDebug, "session: token refused", slog.String("why", why))
	}
}

// failLocked remembers that the store can't be relied on, for the rest of the request: a store that hangs costs one
// timeout, not one for each value, and a change of unknown outcome is never sent again.
func (s *Session) failLocked(doing string, err error) {
	s.state, s.change = failed, store.Change{}
	s.err = fmt.Errorf("%w: %s: %w", ErrUnavailable, doing, err)
	s.m.log.LogAttrs(s.ctx, slog.LevelError, "session: store unavailable", slog.String("doing", doing), slog.Any("error", err))
}

// enterToWrite is enterToChange for what makes a session where there is none.
func (s *Session) enterToWrite(ctx context.Context) error {
	if err := s.enterToChange(ctx); err != nil {
		return err
	}
	err := s.createLocked()
	if err != nil {
		s.mu.Unlock()
	}
	return err
}

// createLocked makes sure that there is a session to change.
func (s *Session) createLocked() error {
	switch s.state {
	case fresh, live:
		return nil
	case ended, retired:
		return ErrEnded
	}
	if s.sealed {
		return fmt.Errorf("%w: a new session needs a cookie", ErrTooLate)
	}
	s.raw = newRawToken()
	s.token = store.HashToken(s.raw[:])
	cfg := s.m.cfg
	s.change = store.Change{Created: true, ID: newID(), Touched: true, IdleTimeout: cfg.IdleTimeout, Lifetime: cfg.Lifetime}
	if cfg.Cookie.Persistent {
		s.change.Persistent = new(true)
	}
	s.state = fresh
	return nil
}

// newID cuts an ID from a random token of its own, so that it says nothing about any other.
func newID() ID {
	t := newRawToken()
	return ID(t[:len(ID{})])
}

// viewLocked returns the session as this request sees it: the record with the request's own changes. It is nil where
// there is no session.
func (s *Session) viewLocked() (*store.Record, error) {
	if s.change.IsZero() {
		return s.rec, nil
	}
	now := store.InstantOf(s.m.now())
	if s.state == fresh {
		return s.change.New(s.token, now)
	}
	return s.change.Apply(s.rec, now)
}

// ID returns the public identity of the session, or the zero ID where there is none or it can't be read, which Exists
// tells apart. It grants nothing and survives Renew.
func (s *Session) ID() ID {
	if s.enter(s.ctx) != nil {
		return ID{}
	}
	defer s.mu.Unlock()
	switch s.state {
	case fresh:
		return s.change.ID
	case live:
		return s.rec.ID
	default:
		return ID{}
	}
}

// Exists reports whether there is a session, be it one that this request has made.
func (s *Session) Exists() (bool, error) {
	if err := s.enter(s.ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	return s.state == live || s.state == fresh, nil
}

// Renew gives the session a new token and keeps its values: call it at login and at any change of privilege, so that a
// token planted or seen before is worth nothing after (OWASP: session fixation). The old token dies in the very step,
// at the next commit, that makes the new one live. Where there is no session, there is nothing to renew and Renew
// returns nil. Of two requests that renew one session, one wins, and the other gets ErrEnded at its commit.
//
// It returns ErrTooLate once the response has begun, and ErrEnded.
func (s *Session) Renew() error {
	if err := s.enterToChange(s.ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch {
	case s.state == ended, s.state == retired:
		return ErrEnded
	case s.state != live, s.change.RenewTo != store.Token{}:
		return nil // a token that no client has is as good as a new one
	case s.sealed:
		return fmt.Errorf("%w: a new token needs a cookie", ErrTooLate)
	}
	s.next = newRawToken()
	s.change.RenewTo = store.HashToken(s.next[:])
	return nil
}

// End ends the session: when it returns nil, the session is gone in the store, for every node, and the response removes
// the cookie, unless it has begun. Changes not yet committed are dropped. Afterwards there are no values, and changes
// return ErrEnded. Ending what does not exist or has ended is no error; ErrEnded says that another request has renewed
// this one's token, which may end nothing any more.
func (s *Session) End() error {
	if err := s.enterToChange(s.ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch s.state {
	case retired:
		s.lost = ErrEnded // the renewed session lives on: nothing may say "logged out"
		return ErrEnded
	case fresh:
		s.endedLocked(tellNothing)
	case absent:
		if s.refusal == ambiguous {
			return s.endAllLocked()
		}
	case live:
		s.lost = s.m.end(s.ctx, Event{Kind: Ended, ID: s.rec.ID, Owner: s.rec.Owner, Reason: LoggedOut})
		if s.lost != nil {
			return s.lost
		}
		s.endedLocked(tellRemove)
	}
	return nil
}

// endAllLocked ends every session that the request has a token of, where there are several and so none was used: who
// logs out must not come back when one of the cookies is gone.
func (s *Session) endAllLocked() error {
	for _, raw := range s.m.signer.verified(s.x.tokens()) {
		rec, err := s.m.load(s.ctx, store.HashToken(raw[:]))
		switch {
		case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrRetired):
			continue
		case err == nil:
			err = s.m.end(s.ctx, Event{Kind: Ended, ID: rec.ID, Owner: rec.Owner, Reason: LoggedOut})
		}
		if err != nil {
			s.lost = fromStore(err)
			return s.lost
		}
	}
	s.endedLocked(tellRemove)
	return nil
}

func (s *Session) endedLocked(t tell) {
	s.state, s.rec, s.change, s.tell = ended, nil, store.Change{}, t
}

// maxText limits owners and labels, in bytes.
const maxText = 255

func checkText(what, text string) error {
	if len(text) > maxText || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return fmt.Errorf("session: %s %.40q: want UTF-8 of at most %d bytes without NUL", what, text, maxText)
	}
	return nil
}

// SetOwner says whose session this is: any text of up to 255 bytes that identifies an account. It is the index for
// lists, for Config.MaxPerOwner and for "log out everywhere". The empty owner makes it nobody's. It makes a session
// where there is none.
func (s *Session) SetOwner(owner string) error {
	if err := checkText("owner", owner); err != nil {
		return err
	}
	return s.alter(func(c *store.Change) error {
		if s.rec != nil && s.rec.Owner == owner {
			c.Owner, c.MaxPerOwner = nil, 0
			return nil
		}
		c.Owner, c.MaxPerOwner = &owner, s.m.cfg.MaxPerOwner
		return nil
	})
}

// Owner returns whose session this is; empty where it is nobody's or there is none.
func (s *Session) Owner() (string, error) {
	info, err := s.Info()
	return info.Owner, err
}

// SetLabel attaches a short text to the session that lists show (Info.Labels): the device or the place, say. An empty
// text removes it. Names and texts have up to 255 bytes. It makes a session where there is none.
func (s *Session) SetLabel(name, text string) error {
	if err := errors.Join(checkText("label name", name), checkText("label", text)); err != nil {
		return err
	}
	if name == "" {
		return errors.New("session: a label needs a name")
	}
	return s.alter(func(c *store.Change) error {
		if s.rec != nil && s.rec.Labels[name] == text && c.Labels == nil {
			return nil
		}
		if c.Labels == nil {
			c.Labels = make(map[string]string)
		}
		c.Labels[name] = text
		return nil
	})
}

// Persist says whether the cookie outlives the browser ("remember me"); it then lasts as long as the session's lifetime.
// The session itself still ends after its idle timeout: to be remembered for a month, it needs SetLifetime and
// SetIdleTimeout as well.
// It makes a session where there is none, and returns ErrTooLate once the response has begun.
func (s *Session) Persist(on bool) error {
	return s.alter(func(c *store.Change) error {
		if s.rec != nil && s.rec.Persistent == on {
			c.Persistent = nil
			return nil
		}
		if s.sealed {
			return fmt.Errorf("%w: persistence needs a cookie", ErrTooLate)
		}
		c.Persistent = &on
		return nil
	})
}

// SetIdleTimeout sets after how long without use this session ends, instead of Config.IdleTimeout. It makes a session
// where there is none.
func (s *Session) SetIdleTimeout(d time.Duration) error {
	if err := checkTimeout("idle timeout", d); err != nil {
		return err
	}
	return s.alter(func(c *store.Change) error {
		if s.rec != nil && s.rec.IdleTimeout == d {
			d = 0 // as it was
		}
		c.IdleTimeout = d
		return nil
	})
}

// SetLifetime sets how long after its creation this session ends, instead of Config.Lifetime. It makes a session where
// there is none, and returns ErrTooLate once the response has begun, for the cookie tells of it.
func (s *Session) SetLifetime(d time.Duration) error {
	if err := checkTimeout("lifetime", d); err != nil {
		return err
	}
	return s.alter(func(c *store.Change) error {
		if s.rec != nil && s.rec.Lifetime == d {
			c.Lifetime = 0 // as it was
			return nil
		}
		if s.sealed {
			return fmt.Errorf("%w: a lifetime needs a cookie", ErrTooLate)
		}
		c.Lifetime = d
		return nil
	})
}

// The store keeps microseconds, and a date far beyond any session must not overflow.
const (
	minTimeout = time.Microsecond
	maxTimeout = 100 * 365 * 24 * time.Hour
)

func checkTimeout(what string, d time.Duration) error {
	if d < minTimeout || d > maxTimeout {
		return fmt.Errorf("session: %s of %v: want between %v and %v", what, d, minTimeout, maxTimeout)
	}
	return nil
}

// alter changes something other than a value. f runs with the session locked.
func (s *Session) alter(f func(*store.Change) error) error {
	if err := s.enterToWrite(s.ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return f(&s.change)
}

// Info is what is known of a session, for lists and operators. It grants nothing.
type Info struct {
	ID         ID
	Created    time.Time
	LastSeen   time.Time // moves once per tenth of the idle timeout
	Expires    time.Time // if it is not used before
	Owner      string
	Labels     map[string]string
	Persistent bool
	Count      int // of values
	Size       int // of values and their names, in bytes

	IdleTimeout time.Duration // from LastSeen to the end of a session that is not used
	Lifetime    time.Duration // from Created to the end of any session
}

func infoOf(r *store.Record) Info {
	return Info{
		ID:         r.ID,
		Created:    r.Created.Time(),
		LastSeen:   r.LastSeen.Time(),
		Expires:    r.Expires().Time(),
		Owner:      r.Owner,
		Labels:     maps.Clone(r.Labels),
		Persistent: r.Persistent,
		Count:      r.Values.Len(),
		Size:       r.Values.Size(),

		IdleTimeout: r.IdleTimeout,
		Lifetime:    r.Lifetime,
	}
}

// Info returns what is known of the session, with this request's changes; the zero Info where there is none.
func (s *Session) Info() (Info, error) {
	view, err := s.view()
	if err != nil || view == nil {
		return Info{}, err
	}
	return infoOf(view), nil
}

func (s *Session) view() (*store.Record, error) {
	if err := s.enter(s.ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.viewLocked()
}

// Names returns the names of all values, sorted.
func (s *Session) Names() ([]string, error) {
	view, err := s.view()
	if err != nil || view == nil {
		return nil, err
	}
	var names []string
	for name := range view.Values.All() {
		names = append(names, name)
	}
	return names, nil
}

// Values returns all values as the JSON they are stored as, by name. The map is the caller's.
func (s *Session) Values() (map[string]json.RawMessage, error) {
	view, err := s.view()
	if err != nil || view == nil {
		return nil, err
	}
	values := make(map[string]json.RawMessage)
	for name, doc := range view.Values.All() {
		values[name] = json.RawMessage(doc)
	}
	return values, nil
}

// Clear removes every value and keeps the session. Where there is none, it does nothing.
func (s *Session) Clear() error {
	if err := s.enterToChange(s.ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	switch s.state {
	case ended, retired:
		return ErrEnded
	case live, fresh:
		s.change.Cleared, s.change.Edits, s.size = true, nil, 0
	}
	return nil
}

// Commit stores the changes now, in one atomic step: for handlers that run long, for sessions outside HTTP, and to see
// the exact sum of a Counter. Within a request that has nothing else to commit, there is no second round trip. A client
// that goes away, or a cancelled ctx, does not cancel it; Config.StoreTimeout limits it.
//
// ErrEnded says that the session ended meanwhile and the changes are lost; a ValueError that a counter met a value that
// is not an integer; ErrUnavailable that the store failed and whether the changes were applied is unknown.
func (s *Session) Commit(ctx context.Context) error {
	if s.m == nil {
		return ErrNoMiddleware
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == untouched && !s.closed {
		return nil // and stays so
	}
	if err := s.readyLocked(ctx); err != nil {
		return err
	}
	return s.commitLocked(ctx)
}

// commitLocked sends the change to the store, if there is one.
func (s *Session) commitLocked(ctx context.Context) error {
	if s.state == live && s.rec.TouchDue(store.InstantOf(s.m.now())) {
		s.change.Touched = true
	}
	if s.change.IsZero() {
		return nil
	}
	id := s.change.ID
	if s.state == live {
		id = s.rec.ID
	}
	rec, err := s.sendLocked(ctx, id)
	if err != nil {
		return s.commitFailedLocked(err)
	}
	if s.clientMustKnow() {
		s.tell = tellToken
	}
	if s.change.RenewTo != (store.Token{}) {
		s.raw, s.token = s.next, s.change.RenewTo
	}
	s.state, s.rec, s.change = live, rec, store.Change{}
	s.size = 0
	return nil
}

var errPanicked = errors.New("the store panicked")

// sendLocked sends the change. A store that panics leaves its outcome unknown: it is not sent again, should somebody
// recover.
func (s *Session) sendLocked(ctx context.Context, id ID) (*store.Record, error) {
	returned := false
	defer func() {
		if !returned {
			s.commitFailedLocked(errPanicked)
		}
	}()
	rec, err := s.m.commit(ctx, s.token, id, &s.change)
	returned = true
	return rec, err
}

// clientMustKnow reports whether the change makes a token, or moves the cookie's own end.
func (s *Session) clientMustKnow() bool {
	c := &s.change
	return c.Created || c.RenewTo != store.Token{} || c.Persistent != nil || c.Lifetime != 0
}

func (s *Session) commitFailedLocked(err error) error {
	onlyTouches, made := s.change.OnlyTouches(), s.change.Created
	gone := errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrRetired)
	var edit *store.EditError
	switch {
	case gone:
		// Whatever was to be told about the token is void: another request's word counts.
		s.endedLocked(tellNothing)
		err = fromStore(err)
	case errors.Is(err, store.ErrConflict), errors.As(err, &edit):
		return fromStore(err)
	default:
		s.failLocked("committing", err)
		err = s.err
		if made {
			s.tell = tellToken // should Reload find that it was stored
		}
	}
	if onlyTouches {
		return nil // who only read has lost nothing
	}
	s.lost = err
	return err
}

// Reload reads the session anew, as other requests have left it meanwhile. This request's changes stay on top, unless
// they were sent and their outcome was unknown. It returns ErrEnded where the session is gone.
func (s *Session) Reload(ctx context.Context) error {
	if s.m == nil {
		return ErrNoMiddleware
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == failed && !s.closed {
		return s.retryLocked(ctx)
	}
	if err := s.readyLocked(ctx); err != nil {
		return err
	}
	switch s.state {
	case ended, retired:
		return ErrEnded
	case live:
		return s.reloadLocked(ctx)
	}
	return nil
}

// retryLocked gives a store that has failed another chance. A session that was there and no longer is has ended.
func (s *Session) retryLocked(ctx context.Context) error {
	wasLive := s.rec != nil
	if err := s.loadLocked(ctx, s.raw); err != nil {
		return err
	}
	switch {
	case s.state == failed:
		return s.err
	case s.state == retired, wasLive && s.state == absent:
		s.endedLocked(tellNothing)
		s.lost = ErrEnded
		return ErrEnded
	}
	s.lost = nil
	return nil
}

func (s *Session) reloadLocked(ctx context.Context) error {
	rec, err := s.m.load(ctx, s.token)
	switch {
	case err == nil:
		s.rec, s.size = rec, 0
		return nil
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrRetired):
		err = fromStore(err)
		if !s.change.OnlyTouches() {
			s.lost = err
		}
		s.endedLocked(tellNothing)
		return err
	default:
		return fromStore(err)
	}
}

// Token returns the session's signed token, for carriers and sessions outside HTTP; empty where there is no session.
// It opens the session to whoever has it. A token that Renew or the first write has made opens it after the commit.
func (s *Session) Token() (string, error) {
	if err := s.enter(s.ctx); err != nil {
		return "", err
	}
	defer s.mu.Unlock()
	view, err := s.viewLocked()
	if err != nil || view == nil {
		return "", err
	}
	raw := s.raw
	if s.change.RenewTo != (store.Token{}) {
		raw = s.next
	}
	return s.m.signer.sign(raw, view.Lifetime)
}
