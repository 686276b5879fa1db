package session_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/internal/signed"
)

// Whatever stands in the header: no panic, no error, and no session but the one whose token stands under the cookie's
// exact name. ALICE and BOB in the input become valid tokens.
func FuzzCookieHeader(f *testing.F) {
	for _, line := range []string{
		"", ";", "=", "a=b", "__Host-session", "__Host-session=", "__Host-session=ALICE", "a=b; __Host-session=ALICE; c=d",
		"__Host-session=ALICE; __Host-session=BOB", "__Host-session=ALICE; __Host-session=ALICE", "__Host-session =ALICE",
		"__Host-session= ALICE", "\t __Host-session=ALICE\t ", `__Host-session="ALICE"`, "__host-session=ALICE", "=ALICE",
		"__Host-session=.ALICE", "__Host-session=ALICE\r\n", "__Host-session=x; __Host-session=BOB", "x__Host-session=BOB",
		"__Host-session=ALICEBOB", "__Host-session=" + strings.Repeat("A", 300), "\x00=\xff; __Host-session=ALICE\x00",
		strings.Repeat("__Host-session=ALICE;", signed.MaxCandidates), strings.Repeat("__Host-session=ALICE;", signed.MaxCandidates+1),
	} {
		f.Add(line, "")
		f.Add("a=b", line)
	}
	m, _ := fixture.NewManager(f, &session.Config{Keys: [][]byte{fixture.KeyA}})
	alice, _ := fixture.Issue(f, m, "alice")
	bob, _ := fixture.Issue(f, m, "bob")
	tokens := strings.NewReplacer("ALICE", alice, "BOB", bob)

	f.Fuzz(func(t *testing.T, first, second string) {
		lines := []string{tokens.Replace(first), tokens.Replace(second)}
		got, _ := fixture.Read(m, lines...)
		expect.Is(t, "reading", got.Err, nil)

		values := underTheName(lines)
		hasAlice, hasBob := contains(values, alice), contains(values, bob)
		switch {
		case hasAlice && hasBob, len(values) > signed.MaxCandidates:
			expect.Equal(t, "who, with two tokens or too many", got.Who, "")
		case got.Who == "alice":
			expect.Equal(t, "alice's token stands under the name", hasAlice || resembles(values, alice), true)
		case got.Who == "bob":
			expect.Equal(t, "bob's token stands under the name", hasBob || resembles(values, bob), true)
		case hasAlice && !resembles(values, bob), hasBob && !resembles(values, alice):
			t.Errorf("a valid token stands alone in %q, and was not found", lines)
		}
	})
}

var ourPair = regexp.MustCompile(`(?:^|;)[ \t]*` + regexp.QuoteMeta(fixture.CookieName) + `=([^;]*)`)

// underTheName is the naive model of what the Cookie header says (RFC 6265bis, section 4.2.1).
func underTheName(lines []string) (values []string) {
	for _, line := range lines {
		for _, match := range ourPair.FindAllStringSubmatch(line, -1) {
			values = append(values, strings.TrimRight(match[1], " \t"))
		}
	}
	return values
}

func contains(values []string, token string) bool {
	for _, v := range values {
		if v == token {
			return true
		}
	}
	return false
}

// resembles reports whether a value is the token but for the slack of base64: line ends, and the last character.
func resembles(values []string, token string) bool {
	for _, v := range values {
		v = strings.NewReplacer("\r", "", "\n", "").Replace(v)
		if len(v) == len(token) && v[:len(v)-2] == token[:len(token)-2] {
			return true
		}
	}
	return false
}
