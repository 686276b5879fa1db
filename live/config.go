package live

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/slot"
)

// A Retention is how much of a stream is kept for clients that come back: the newest messages within all of Messages,
// Bytes and Age. A field that is 0 has its default: 1,000 messages, 1 MiB, 5 minutes.
type Retention = stream.Retention

// Config is how a Hub works. The zero Config, and a nil one, mean the defaults. New copies it.
type Config struct {
	// Node names this server in lists of sockets. Hubs on the same log have different names. Defaults to a random one.
	Node string

	// Origins are the origins beside the request's own scheme and host whose pages may open sockets:
	// "https://www.example.com". A browser names the page's origin in each handshake (RFC 6454). Defaults to none.
	Origins []string

	// MaxMessage is how many bytes one message of a client may have. A larger one closes the connection with 1009.
	// Defaults to 64 KiB.
	MaxMessage int

	// MaxUp is how many messages a client may have sent that are not handled yet. Defaults to 64.
	MaxUp int

	// MaxDown and MaxDownBytes are how many messages, and bytes of them, may be on their way to a client before it
	// acknowledges them. What is more waits in the log. They default to 256 and 256 KiB.
	MaxDown      int
	MaxDownBytes int

	// MaxChannels is how many channels a socket may be in. Defaults to 100.
	MaxChannels int

	// MaxPerSession is how many connected sockets one session may have on this node. Defaults to 32.
	MaxPerSession int

	// HelloTimeout is how long a new connection may take to say hello. Defaults to 10 s.
	HelloTimeout time.Duration

	// StallTimeout is how long a connection may take nothing of what is written to it, or acknowledge nothing of what
	// it was sent. Defaults to 30 s.
	StallTimeout time.Duration

	// Beat is how often the hub sends a sign of life, in whole seconds. A side that hears nothing for two and a half
	// beats takes the connection for dead. Defaults to 25 s.
	Beat time.Duration

	// Window is how long a socket may stay away before it has left for good. Defaults to 2 min.
	Window time.Duration

	// Keep is how much of each socket's own stream is kept. Defaults to those of Retention.
	Keep Retention

	// Slots are the slots of the sockets: see Socket.SlotData. Defaults to none.
	Slots *slot.Table

	// Logger gets what goes wrong. Defaults to slog.Default.
	Logger *slog.Logger
}

// withDefaults returns a copy with the defaults filled in, or all mistakes in one error.
func (c *Config) withDefaults() (Config, error) {
	var cfg Config
	if c != nil {
		cfg = *c
	}
	var mistakes []error
	number := func(name string, n *int, preset int) {
		if *n < 0 {
			mistakes = append(mistakes, fmt.Errorf("live: negative %s %d", name, *n))
		}
		if *n == 0 {
			*n = preset
		}
	}
	span := func(name string, d *time.Duration, preset time.Duration) {
		if *d < 0 {
			mistakes = append(mistakes, fmt.Errorf("live: negative %s %v", name, *d))
		}
		if *d == 0 {
			*d = preset
		}
	}
	number("MaxMessage", &cfg.MaxMessage, 64<<10)
	number("MaxUp", &cfg.MaxUp, 64)
	number("MaxDown", &cfg.MaxDown, 256)
	number("MaxDownBytes", &cfg.MaxDownBytes, 256<<10)
	number("MaxChannels", &cfg.MaxChannels, 100)
	number("MaxPerSession", &cfg.MaxPerSession, 32)
	span("HelloTimeout", &cfg.HelloTimeout, 10*time.Second)
	span("StallTimeout", &cfg.StallTimeout, 30*time.Second)
	span("Beat", &cfg.Beat, 25*time.Second)
	span("Window", &cfg.Window, 2*time.Minute)
	if cfg.Beat%time.Second != 0 {
		mistakes = append(mistakes, fmt.Errorf("live: Beat %v is not whole seconds", cfg.Beat))
	}
	cfg.Origins = slices.Clone(cfg.Origins)
	for _, origin := range cfg.Origins {
		if err := checkOrigin(origin); err != nil {
			mistakes = append(mistakes, err)
		}
	}
	if cfg.Node == "" {
		cfg.Node = stream.NewID().String()[:8]
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.Keep = cfg.Keep.WithDefaults()
	return cfg, errors.Join(mistakes...)
}

// checkOrigin checks that an origin is as browsers write it: scheme and host, and no path (RFC 6454, section 6.2).
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	switch {
	case err != nil:
		return fmt.Errorf("live: invalid origin %q: %w", origin, err)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("live: invalid origin %q: scheme must be http or https", origin)
	case u.Scheme+"://"+u.Host != origin:
		return fmt.Errorf("live: invalid origin %q: want scheme://host and nothing else", origin)
	}
	return nil
}
