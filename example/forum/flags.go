package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lazysession/session"
)

// Settings are what the command line and the environment say.
type settings struct {
	listen          string
	keys            [][]byte
	idle            time.Duration
	tlsCert, tlsKey string
	behindTLS       bool           // a proxy in front ends TLS
	proxies         []netip.Prefix // proxies that tell whether a visitor came over TLS
	store           string         // a PostgreSQL connection string; empty: memory
	rate            int            // requests a second on one connection; 0: any number
	name            string         // of this server, for its pages; empty: it has none
	drain           time.Duration  // from the signal to stop to the last connection accepted
}

// keysVariable is the environment variable with the signing keys, where no file has them.
const keysVariable = "FORUM_KEYS"

func parseSettings(args []string, getenv func(string) string) (settings, error) {
	var s settings
	var keysFile string
	flags := flag.NewFlagSet("forum", flag.ContinueOnError)
	flags.StringVar(&s.listen, "listen", "127.0.0.1:8080", "`address` to listen on; port 0 picks a free one")
	flags.StringVar(&keysFile, "keys", "", "`file` with the keys that sign cookies, one a line in base64 or hex,"+
		" newest first\n"+
		"(without it: "+keysVariable+", separated by commas; without that: a random key)")
	flags.DurationVar(&s.idle, "idle", 30*time.Minute, "how long a session lives without being used")
	flags.StringVar(&s.tlsCert, "tls-cert", "", "`file` with the certificate, to serve https")
	flags.StringVar(&s.tlsKey, "tls-key", "", "`file` with the certificate's key")
	flags.BoolVar(&s.behindTLS, "behind-tls", false, "serve http to a proxy that serves https to visitors")
	flags.Func("trusted-proxies", "`addresses` of proxies that serve both http and https to visitors and say which in\n"+
		"X-Forwarded-Proto: 10.0.0.0/8 and the like, separated by commas", s.addProxies)
	flags.StringVar(&s.store, "store", "", "postgres://… `URL` of the database for sessions and posts, so that several"+
		" forums are one site\n"+
		"(without it: memory; the password may be in PGPASSWORD or ~/.pgpass)")
	flags.IntVar(&s.rate, "rate", 1000, "how many `requests` a second one connection may make; 0 for any number,"+
		" as behind a\nproxy whose connections many visitors share")
	flags.StringVar(&s.name, "name", "", "`name` of this server, to be shown at the foot of its pages")
	flags.DurationVar(&s.drain, "drain", 0,
		"how long "+readyPath+" answers 503 before a stop, for a load balancer to look elsewhere")
	flags.SetOutput(io.Discard) // main prints the error
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(os.Stderr)
			flags.Usage()
		}
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	var err error
	s.keys, err = loadKeys(keysFile, getenv(keysVariable))
	return s, errors.Join(err, s.check())
}

func (s settings) check() error {
	switch {
	case s.rate < 0:
		return errors.New("-rate is negative")
	case (s.tlsCert == "") != (s.tlsKey == ""):
		return errors.New("-tls-cert and -tls-key go together")
	case len(s.proxies) > 0 && s.secure():
		return errors.New("-trusted-proxies is for sites that serve http too: not with -tls-cert or -behind-tls")
	case s.store == "":
		return nil
	case !isPostgres(s.store): // the error leaves the URL out: it may contain a password
		return errors.New("-store is not a URL that begins with postgres://")
	case len(s.keys) == 0:
		return errors.New("-store needs -keys or " + keysVariable + ", the same on every server:" +
			" a cookie signed with a random key opens nothing on the others, or after a restart")
	}
	return nil
}

// addProxies takes prefixes and single addresses.
func (s *settings) addProxies(text string) error {
	for field := range strings.SplitSeq(text, ",") {
		field = strings.TrimSpace(field)
		prefix, err := netip.ParsePrefix(field)
		if addr, addrErr := netip.ParseAddr(field); addrErr == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return err
		}
		s.proxies = append(s.proxies, prefix)
	}
	return nil
}

func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

func (s settings) tls() bool { return s.tlsCert != "" }

// secure reports whether all visitors come over https.
func (s settings) secure() bool { return s.tls() || s.behindTLS }

// cookie returns the safe default for https. Browsers drop that cookie over plain http, so a site that serves both uses
// SecureAuto, and development uses a cookie without Secure.
func (s settings) cookie() session.Cookie {
	switch {
	case s.secure():
		return session.Cookie{}
	case len(s.proxies) > 0:
		return session.Cookie{Secure: session.SecureAuto}
	}
	return session.Cookie{Secure: session.InsecureForDevelopment}
}

// warn logs the settings that are safe on a developer's machine only.
func (s settings) warn() {
	if s.cookie().Secure == session.InsecureForDevelopment {
		slog.Warn("forum: plain http, so the session cookie is not Secure (session.InsecureForDevelopment)." +
			" Anywhere but on your own machine, use -tls-cert and -tls-key, -behind-tls or -trusted-proxies")
	}
	if len(s.keys) == 0 {
		slog.Warn("forum: no keys given, so cookies are signed with a random one. Use -keys or " + keysVariable)
	}
}

// url returns the address to open in a browser.
func (s settings) url(a net.Addr) string {
	scheme := "http"
	if s.tls() {
		scheme = "https"
	}
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return scheme + "://" + a.String() + "/"
	}
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(tcp.Port)) + "/"
}
