package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session"
)

func noEnv(string) string { return "" }

// runForum runs a forum until stop is called. It returns the address that the forum has printed, and how run ended.
func runForum(t *testing.T) (address string, stop func(), done chan error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	out, in := io.Pipe()
	done = make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-listen", "127.0.0.1:0"}, noEnv, in)
		in.CloseWithError(err)
		done <- err
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "forum: ")
	if !ok || !strings.HasPrefix(address, "http://127.0.0.1:") || strings.HasSuffix(address, ":0/") {
		t.Fatalf("it printed %q", line)
	}
	return address, stop, done
}

func TestRunServesUntilItIsStopped(t *testing.T) {
	address, stop, done := runForum(t)
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error("run:", err)
		}
	case <-time.After(shutdownTimeout):
		t.Error("it does not stop")
	}
}

func TestAddressesToOpen(t *testing.T) {
	for _, c := range []struct {
		ip   string
		tls  bool
		want string
	}{
		{"127.0.0.1", false, "http://127.0.0.1:80/"},
		{"0.0.0.0", false, "http://localhost:80/"},
		{"::", true, "https://localhost:80/"},
		{"::1", false, "http://[::1]:80/"},
	} {
		s := settings{}
		if c.tls {
			s.tlsCert = "cert.pem"
		}
		if got := s.url(&net.TCPAddr{IP: net.ParseIP(c.ip), Port: 80}); got != c.want {
			t.Errorf("url of %s is %s, want %s", c.ip, got, c.want)
		}
	}
}

func TestCookieIsSafeOverTLS(t *testing.T) {
	if got := (settings{tlsCert: "c", tlsKey: "k"}).cookie().Secure; got != session.SecureAlways {
		t.Errorf("over TLS, Secure is %v, want Always", got)
	}
	if got := (settings{behindTLS: true}).cookie().Secure; got != session.SecureAlways {
		t.Errorf("behind a proxy with TLS, Secure is %v, want Always", got)
	}
	bothWays, err := parseSettings([]string{"-trusted-proxies", "127.0.0.1, 10.0.0.0/8"}, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	if got := bothWays.cookie().Secure; got != session.SecureAuto || len(bothWays.proxies) != 2 {
		t.Errorf("behind proxies that serve both: Secure is %v with %v, want Auto with two prefixes", got, bothWays.proxies)
	}
	if got := (settings{}).cookie().Secure; got != session.InsecureForDevelopment {
		t.Errorf("over plain http, Secure is %v, want InsecureForDevelopment", got)
	}
}

func TestKeysFromFileOrEnvironment(t *testing.T) {
	newest, older := strings.Repeat("n", 32), strings.Repeat("\xfb", 32)
	lines := []string{
		hex.EncodeToString([]byte(newest)),
		base64.StdEncoding.EncodeToString([]byte(older)),
		base64.RawURLEncoding.EncodeToString([]byte(older)),
	}
	file := filepath.Join(t.TempDir(), "keys")
	text := lines[0] + "\n\n" + lines[1] + "\r\n" + lines[2]
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(string) string { return strings.Join(lines, ", ") }
	for name, load := range map[string]func() (settings, error){
		"file":        func() (settings, error) { return parseSettings([]string{"-keys", file}, noEnv) },
		"environment": func() (settings, error) { return parseSettings(nil, env) },
	} {
		s, err := load()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(s.keys) != 3 || string(s.keys[0]) != newest || string(s.keys[1]) != older || string(s.keys[2]) != older {
			t.Errorf("%s: the keys are %q", name, s.keys)
		}
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte(strings.Repeat("ab", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	const secret = "not!a!key"
	for name, refused := range map[string]struct {
		args []string
		env  string
	}{
		"an argument":    {[]string{"now"}, ""},
		"negative rate":  {[]string{"-rate", "-1"}, ""},
		"no address":     {[]string{"-trusted-proxies", "localhost"}, ""},
		"no address yet": {[]string{"-trusted-proxies", ""}, ""},
		"proxies of TLS": {[]string{"-trusted-proxies", "::1", "-behind-tls"}, ""},
		"half of TLS":    {[]string{"-tls-cert", "cert.pem"}, ""},
		"no such file":   {[]string{"-keys", filepath.Join(t.TempDir(), "nope")}, ""},
		"a file of none": {[]string{"-keys", empty}, ""},
		"no encoding":    {nil, secret},
		"not a duration": {[]string{"-idle", "long"}, ""},
		"no such store":  {[]string{"-store", "mysql://ann:" + secret + "@db/forum", "-keys", keys}, ""},
		"store, no keys": {[]string{"-store", "postgres://ann:" + secret + "@db/forum"}, ""},
	} {
		_, err := parseSettings(refused.args, func(string) string { return refused.env })
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error tells the key: %v", name, err)
		}
	}
	for name, args := range map[string][]string{
		"idle":   {"-idle", "-1m", "-listen", "127.0.0.1:0"},
		"listen": {"-listen", "nonsense"},
	} {
		if err := run(t.Context(), args, noEnv, io.Discard); err == nil {
			t.Errorf("%s: it runs", name)
		}
	}
	shortKey := func(string) string { return "c2hvcnQ=" }
	if err := run(t.Context(), []string{"-listen", "127.0.0.1:0"}, shortKey, io.Discard); err == nil {
		t.Error("a short key: it runs")
	}
}
