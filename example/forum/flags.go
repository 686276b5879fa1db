package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/lazysession/session"
)

// Settings are what the command line and the environment say.
type settings struct {
	listen          string
	keys            [][]byte
	idle            time.Duration
	tlsCert, tlsKey string
}

// keysVariable is the environment variable with the signing keys, where no file has them.
const keysVariable = "FORUM_KEYS"

func parseSettings(args []string, getenv func(string) string) (settings, error) {
	var s settings
	var keysFile string
	flags := flag.NewFlagSet("forum", flag.ContinueOnError)
	flags.StringVar(&s.listen, "listen", "127.0.0.1:8080", "`address` to listen on; port 0 picks a free one")
	flags.StringVar(&keysFile, "keys", "", "`file` with the keys that sign cookies, one a line in base64 or hex, newest first\n"+
		"(without it: "+keysVariable+", separated by commas; without that: a random key)")
	flags.DurationVar(&s.idle, "idle", 30*time.Minute, "how long a session lives without being used")
	flags.StringVar(&s.tlsCert, "tls-cert", "", "`file` with the certificate, to serve https")
	flags.StringVar(&s.tlsKey, "tls-key", "", "`file` with the certificate's key")
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
	if (s.tlsCert == "") != (s.tlsKey == "") {
		return s, errors.New("-tls-cert and -tls-key go together")
	}
	var err error
	s.keys, err = loadKeys(keysFile, getenv(keysVariable))
	return s, err
}

func (s settings) tls() bool { return s.tlsCert != "" }

// cookie is the safe default over TLS. Over plain http browsers would drop that one, so development needs another.
func (s settings) cookie() session.Cookie {
	if s.tls() {
		return session.Cookie{}
	}
	return session.Cookie{Secure: session.InsecureForDevelopment}
}

// warn says what is fine on a developer's machine and nowhere else.
func (s settings) warn() {
	if !s.tls() {
		slog.Warn("forum: plain http, so the session cookie is not Secure (session.InsecureForDevelopment)." +
			" Anywhere but on your own machine, use -tls-cert and -tls-key")
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
