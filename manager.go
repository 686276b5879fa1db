package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/lazysession/session/internal/signed"
	"github.com/lazysession/session/service"
	"github.com/lazysession/session/store"
)

// ID is the public identity of a session: safe to log and list, grants nothing, survives Renew.
type ID = store.ID

// ParseID reads an ID from the 32 hexadecimal digits of ID.String.
func ParseID(s string) (ID, error) { return store.ParseID(s) }

// A Manager is the session service: it attaches sessions to requests, and finds, lists and ends them. It may be used
// by many goroutines at once.
type Manager struct {
	backend
	cfg     *Config
	carrier *transport
	auto    *secureAuto // for SecureAuto; else nil
	header  string      // that the carrier reads, if it is one of ours
	signer  *signed.Signer
	now     func() time.Time // the store's clock

	ownServices *service.Registry // nil where Config.Services was given

	warnInsecure sync.Once
	stop         context.CancelFunc
	sweeping     sync.WaitGroup
	unwatch      func()
}

// New returns a Manager that keeps its sessions in s. A nil cfg means the defaults; all mistakes in cfg are reported in
// one error. The caller still owns the store, and closes it after the Manager.
//
// Where the store is a store.Sweeper, the Manager removes its expired records in the background, until Close.
func New(s store.Store, cfg *Config) (*Manager, error) {
	ownServices := cfg == nil || cfg.Services == nil
	cfg, err := cfg.withDefaults(s)
	if err != nil {
		return nil, err
	}
	m := &Manager{
		backend: backend{store: s, timeout: cfg.StoreTimeout, log: cfg.Logger},
		cfg:     cfg,
		signer:  signed.New(cfg.Cookie.overTLS().Name, cfg.Keys, cfg.Lifetime),
		now:     time.Now,
	}
	if cfg.Carrier != nil {
		m.carrier = newTransport(cfg.Carrier)
	} else {
		m.carrier, m.auto = newTransport(newCookieCarrier(cfg.Cookie.overTLS())), newSecureAuto(cfg)
	}
	if ownServices {
		m.ownServices = cfg.Services
	}
	if m.carrier.header != nil {
		m.header = m.carrier.Vary()
	}
	if c, ok := s.(store.Clock); ok {
		m.now = c.Now
	}
	if err := m.provide(); err != nil {
		return nil, err
	}
	m.events.log = m.log
	m.watch()
	m.sweep()
	return m, nil
}

// provide puts the Manager into the registry, under the cookie's name where another Manager is there.
func (m *Manager) provide() error {
	err := service.Provide(m.cfg.Services, m)
	if errors.Is(err, service.ErrTaken) {
		err = service.ProvideNamed(m.cfg.Services, m.cfg.Cookie.Name, m)
	}
	if err != nil {
		return fmt.Errorf("session: cookie %q: %w", m.cfg.Cookie.Name, err)
	}
	return nil
}

func (m *Manager) watch() {
	m.unwatch = func() {}
	if w, ok := m.store.(store.Watcher); ok {
		m.watched = true
		m.unwatch = w.Watch(m.events.tell)
	}
}

// sweep calls the store's Sweeper, if it has one, whenever the store wants it, until Close.
func (m *Manager) sweep() {
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	sweeper, ok := m.store.(store.Sweeper)
	if !ok {
		return
	}
	m.sweeping.Go(func() {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
				timer.Reset(m.sweepOnce(ctx, sweeper))
			}
		}
	})
}

// sweepOnce removes a batch of expired records and returns when to go on.
func (m *Manager) sweepOnce(ctx context.Context, sweeper store.Sweeper) (next time.Duration) {
	const afterError = 10 * time.Second
	next, err := sweeper.Sweep(ctx)
	if err != nil && ctx.Err() == nil {
		m.log.LogAttrs(ctx, slog.LevelError, "session: sweeping expired sessions", slog.Any("error", err))
		return afterError
	}
	return next
}

// Close stops what the Manager does in the background and waits for it. Requests under way are still served. It always
// returns nil, and may be called more than once.
func (m *Manager) Close() error {
	m.unwatch()
	m.stop()
	m.sweeping.Wait()
	m.events.close()
	return nil
}

// Create makes a session outside HTTP, for jobs and other protocols, and stores it at once. Put it into a context with
// NewContext to use keys on it, commit with Session.Commit, and hand out Session.Token. ctx gives the session the
// values of its store calls; its end does not cancel them.
func (m *Manager) Create(ctx context.Context) (*Session, error) {
	s := &Session{m: m, ctx: ctx}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.visitLocked()
	v.state = absent
	if _, err := v.create(); err != nil {
		return nil, err
	}
	if err := v.commit(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Open returns the session of a signed token (Session.Token). A token that is forged, unknown, renewed or expired is
// ErrEnded; ErrUnavailable says that the store could not tell.
func (m *Manager) Open(ctx context.Context, signed string) (*Session, error) {
	token, _ := m.signer.Pick([]string{signed})
	if m.auto != nil && token.Signed == "" {
		token, _ = m.auto.signer.Pick([]string{signed})
	}
	if token.Signed == "" {
		return nil, fmt.Errorf("%w: no valid token", ErrEnded)
	}
	s := &Session{m: m, ctx: ctx}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.visitLocked()
	v.load(ctx, token)
	switch v.state {
	case live:
		return s, nil
	case failed:
		return nil, v.unavailable
	default:
		return nil, ErrEnded
	}
}

// Session returns the session that this Manager attached to ctx, where two Managers wrap one route. Like FromContext it
// never returns nil.
func (m *Manager) Session(ctx context.Context) *Session {
	if s, ok := ctx.Value(m).(*Session); ok {
		return s
	}
	return noMiddleware
}

// A Filter says which sessions to list.
type Filter = store.Filter

// Sessions yields what is known of one owner's live sessions, or with Filter.All of everybody's, in no particular
// order. The empty owner has none. It streams: memory does not grow with their number. The sequence ends after an
// error; errors.ErrUnsupported says that the store can't list.
func (m *Manager) Sessions(ctx context.Context, f Filter) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		lister, ok := m.store.(store.Lister)
		if !ok {
			yield(Info{}, fmt.Errorf("session: listing in %T: %w", m.store, errors.ErrUnsupported))
			return
		}
		for rec, err := range lister.List(ctx, f) {
			if err == nil && rec == nil {
				err = errForeignRecord
			}
			if err != nil {
				yield(Info{}, fromStore(err))
				return
			}
			if !yield(infoOf(rec), nil) {
				return
			}
		}
	}
}

// End ends a session, as Revoked: it is gone in the store when End returns. Ending what is gone is no error.
func (m *Manager) End(ctx context.Context, id ID) error {
	return m.end(ctx, store.Event{Kind: EventEnded, ID: id, Reason: Revoked})
}

// EndOwner ends all sessions of an owner ("log out everywhere") but those in except, in one atomic step, and returns
// how many. The empty owner has none. errors.ErrUnsupported says that the store can't.
func (m *Manager) EndOwner(ctx context.Context, owner string, except ...ID) (int, error) {
	ender, ok := m.store.(store.OwnerEnder)
	if !ok {
		return 0, fmt.Errorf("session: ending the sessions of an owner in %T: %w", m.store, errors.ErrUnsupported)
	}
	return m.endOwner(ctx, ender, owner, except)
}

// Subscribe calls f for sessions created, renewed or ended, until cancel is called: creations on the node that made
// them, renewals and ends on every node that the store hears of. Missed comes when events may be lost, and again when
// they are complete. Events of one session come in order. f runs in a goroutine of its own: it may be slow, and a panic
// in it is logged; when it falls far behind, events are dropped and a Missed event takes their place.
func (m *Manager) Subscribe(f func(Event)) (cancel func()) { return m.events.subscribe(f) }

// Format keeps the signing keys out of a log that prints a Manager.
func (m *Manager) Format(f fmt.State, _ rune) { fmt.Fprint(f, "session.Manager") }
