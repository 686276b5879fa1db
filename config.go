package session

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/lazysession/session/service"
	"github.com/lazysession/session/store"
)

// Config says how a Manager works. The zero Config, and nil, mean the defaults; New copies it, so later changes have no
// effect.
type Config struct {
	// Keys sign the cookies, newest first, each of at least 32 random bytes (ParseKeys reads them from a text). The
	// first signs, all verify: to rotate without logging anybody out, add the new key at the end on every node, then
	// move it to the front, and drop the old one when the last session signed with it has ended: after the longest
	// lifetime that a session was given.
	//
	// Defaults to one random key, which only a store that dies with the process allows (store.Volatile).
	Keys [][]byte

	// Cookie is the session cookie. Its defaults are the safe ones.
	Cookie Cookie

	// TrustedProxies are the addresses of proxies in front of this server whose X-Forwarded-Proto Cookie.Secure:
	// SecureAuto believes: that of a request whose RemoteAddr is one of them. Of several values the last counts, which
	// that proxy itself has written. So middleware that replaces RemoteAddr by the visitor's address belongs inside the
	// Manager's Handler. A peer of a Unix socket has no address, and is not believed; where it is a proxy, a handler
	// outside can give its requests one. Defaults to none.
	TrustedProxies []netip.Prefix

	// Carrier is how the token travels between client and server. Defaults to the cookie; BearerHeader serves API
	// clients.
	Carrier Carrier

	// IdleTimeout ends a session that was not used for so long. One beyond Lifetime is a mistake, for it would never
	// end a session; see Session.Remember. Defaults to 30 minutes, or to Lifetime where that is less.
	IdleTimeout time.Duration

	// Lifetime ends any session so long after it was created. Lowering it also ends the sessions that were given the
	// longer one, when they reach it. Defaults to 24 hours.
	Lifetime time.Duration

	// MaxPerOwner limits how many sessions an owner has (Session.SetOwner). With one more, the owner's oldest session
	// is ended in the same step. Defaults to 0: no limit.
	MaxPerOwner int

	// MaxBytes limits the values and labels of one session with their names together, in bytes (values as JSON). A Set
	// or SetLabel beyond it returns ErrTooLarge. It is judged by what the request sees, so requests at the same time
	// may each use what is left. Defaults to 64 KiB.
	MaxBytes int

	// StoreTimeout limits each call of the store that a session makes; lists and sweeps take as long as they take.
	// Defaults to 2 seconds.
	StoreTimeout time.Duration

	// Services is the registry that handlers query. The Manager provides itself in it; where that is taken by another
	// Manager, under the cookie's name. So closing the registry closes the Manager, too: after the services that were
	// provided later, and before those that were provided earlier. The registry takes the place of one that the context
	// has. Defaults to a registry of the Manager's own, which has nothing but the Manager: what is not found there is
	// looked for in the context's.
	Services *service.Registry

	// OnError answers a request whose session could not be committed, or one of whose operations has failed and was
	// overlooked (see Session.Degrade), and gets why: an error that Error knows an answer to. It is called by the
	// request's goroutine. What it writes is gathered and sent whole when it returns. Without a WriteHeader the status is
	// that of Error, and where nothing is written, Error answers. The header is as it was before the handler. What OnError
	// changes in the session is committed before its answer is sent, and with that what other goroutines of the request
	// change meanwhile. When it panics, the default answers and the panic passes on. Defaults to Error.
	OnError func(w http.ResponseWriter, r *http.Request, err error)

	// Logger gets what operators should know. No token is ever logged. Defaults to slog.Default().
	Logger *slog.Logger
}

const (
	defaultIdleTimeout  = 30 * time.Minute
	defaultLifetime     = 24 * time.Hour
	defaultMaxBytes     = 64 << 10
	defaultStoreTimeout = 2 * time.Second

	minKeyLen = 32
)

// withDefaults returns a checked copy of c with every default filled in, or all mistakes in one error.
func (c *Config) withDefaults(s store.Store) (*Config, error) {
	var checked Config
	if c != nil {
		checked = *c
	}
	c = &checked
	c.Cookie = c.Cookie.withDefaults()
	err := errors.Join(c.checkStore(s), c.checkKeys(s), c.checkNumbers(), c.Cookie.check(), c.checkProxies())
	if err != nil {
		return nil, err
	}
	c.Keys = cloneKeys(c.Keys)
	c.TrustedProxies = slices.Clone(c.TrustedProxies)
	setDefault(&c.Lifetime, defaultLifetime)
	setDefault(&c.IdleTimeout, min(defaultIdleTimeout, c.Lifetime))
	setDefault(&c.MaxBytes, defaultMaxBytes)
	setDefault(&c.StoreTimeout, defaultStoreTimeout)
	setDefault(&c.Logger, slog.Default())
	if c.Services == nil {
		c.Services = service.NewRegistry(nil)
	}
	return c, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) checkStore(s store.Store) error {
	if s == nil {
		return errors.New("session: no store")
	}
	return nil
}

func (c *Config) checkKeys(s store.Store) error {
	var errs []error
	if len(c.Keys) == 0 && s != nil && !isVolatile(s) {
		errs = append(errs, fmt.Errorf("session: no Keys: a store that outlives the process (%T) needs one; %s", s, makeKey))
	}
	for i, key := range c.Keys {
		if err := checkKeyLen(key); err != nil {
			errs = append(errs, fmt.Errorf("session: Keys[%d] %w", i, err))
		}
	}
	return errors.Join(errs...)
}

func isVolatile(s store.Store) bool {
	v, ok := s.(store.Volatile)
	return ok && v.Volatile()
}

// cloneKeys copies the keys, so that the caller may change its own ones. It makes a key where there is none.
func cloneKeys(keys [][]byte) [][]byte {
	if len(keys) == 0 {
		key := make([]byte, minKeyLen)
		rand.Read(key) // never fails: crypto/rand ends the program instead
		return [][]byte{key}
	}
	clones := make([][]byte, len(keys))
	for i, key := range keys {
		clones[i] = append([]byte(nil), key...)
	}
	return clones
}

func (c *Config) checkProxies() error {
	var errs []error
	for i, p := range c.TrustedProxies {
		switch {
		case !p.IsValid():
			errs = append(errs, fmt.Errorf("session: TrustedProxies[%d] is no prefix of addresses", i))
		case p.Addr().Is4In6():
			errs = append(errs, fmt.Errorf("session: TrustedProxies[%d] is %v: want the prefix of IPv4 addresses", i, p))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) checkNumbers() error {
	return errors.Join(
		defaultOrTimeout("IdleTimeout", c.IdleTimeout),
		defaultOrTimeout("Lifetime", c.Lifetime),
		c.checkIdleWithin(),
		notNegative("MaxPerOwner", c.MaxPerOwner),
		notNegative("MaxBytes", c.MaxBytes),
		notNegative("StoreTimeout", c.StoreTimeout),
	)
}

// checkIdleWithin returns an error for an idle timeout that could never end a session: most likely one of two lines was
// forgotten.
func (c *Config) checkIdleWithin() error {
	lifetime, which := c.Lifetime, ""
	if lifetime == 0 {
		lifetime, which = defaultLifetime, ", the default"
	}
	if lifetime < 0 || c.IdleTimeout <= lifetime {
		return nil
	}
	return fmt.Errorf("session: IdleTimeout of %v is beyond Lifetime (%v%s): no session would idle out",
		c.IdleTimeout, lifetime, which)
}

func defaultOrTimeout(name string, d time.Duration) error {
	if d == 0 {
		return nil
	}
	return checkTimeout(name, d)
}

func notNegative[T int | time.Duration](name string, value T) error {
	if value < 0 {
		return fmt.Errorf("session: %s is %v: want 0 for the default, or more", name, value)
	}
	return nil
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
