package main

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLoginRenewsTheTokenAndKeepsTheValues(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.get("/forums/lobby")
	before := b.cookie()
	b.logIn("Ann")
	if b.cookie() == before {
		t.Error("the cookie is the one from before the login")
	}
	if got := b.get("/forums/lobby").visits(); got != 2 {
		t.Errorf("the visit after the login is number %d, want 2", got)
	}

	thief := openBrowser(t, b.address)
	thief.header = http.Header{"Cookie": {"session=" + before}}
	thief.get("/").wantsNot(t, "Ann")
	thief.get("/inside").wants(t, http.StatusOK, "you have no session")
}

func TestLogoutEndsTheSession(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.logIn("Ann")
	b.get("/forums/lobby")
	old := b.cookie()
	b.post("/logout").wants(t, http.StatusOK, `class="message info">You have logged out. See you soon.`)
	if b.cookie() == old || b.loggedIn() {
		t.Error("still logged in")
	}
	b.get("/").wantsNot(t, "You have logged out.")
	b.get("/inside").wants(t, http.StatusOK, "0 values", ">nobody<")
	if got := b.get("/forums/lobby").visits(); got != 1 {
		t.Errorf("the visit after the logout is number %d, want 1", got)
	}
	thief := openBrowser(t, b.address)
	thief.header = http.Header{"Cookie": {"session=" + old}}
	thief.get("/inside").wants(t, http.StatusOK, "you have no session")
	b.post("/logout").wants(t, http.StatusOK)
	b.post("/logout").wants(t, http.StatusOK)
}

func TestNamesThatAreRefused(t *testing.T) {
	b := openBrowser(t, startForum(t))
	for name, login := range map[string]struct{ name, want string }{
		"empty":    {"", "Enter a name."},
		"space":    {"  ", "Enter a name."},
		"too long": {strings.Repeat("n", maxName+1), "That is too long"},
		"control":  {"a\nb", "can&#39;t be shown"},
		"bidi":     {"a\u202Eb", "can&#39;t be shown"},
	} {
		t.Run(name, func(t *testing.T) {
			b.post("/login", "name", login.name).wants(t, http.StatusUnprocessableEntity, login.want)
			if b.cookie() != "" {
				t.Error("a refused login made a session")
			}
		})
	}
	b.logIn(strings.Repeat("ü", maxName))
}

func TestSomebodysSessionDoesNotBecomeAnothers(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.logIn("Ann")
	b.post("/login", "name", "Bob").wants(t, http.StatusOK, "You are logged in as Ann. Log out first")
	b.get("/inside").wants(t, http.StatusOK, "<dd>Ann</dd>")
}

func TestLoginLeadsToNoOtherSite(t *testing.T) {
	b := openBrowser(t, startForum(t))
	for _, forum := range []string{"//evil.example", "https://evil.example", "../logout"} {
		b.post("/login", "name", "Ann", "forum", forum).wants(t, http.StatusNotFound)
		if b.loggedIn() {
			t.Fatalf("forum %q: logged in", forum)
		}
	}
}

func TestRememberMe(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b = b.withoutRedirects()
	for remember, days := range map[string]float64{"": 0, "yes": 30} {
		a := b.post("/login", "name", "Ann", "remember", remember)
		a.wants(t, http.StatusSeeOther)
		cookie, err := http.ParseSetCookie(a.header.Get("Set-Cookie"))
		if err != nil {
			t.Fatal(err)
		}
		if got := math.Round(float64(cookie.MaxAge) / (24 * 60 * 60)); got != days {
			t.Errorf("remember=%q: the browser keeps the cookie for %v days, want %v", remember, got, days)
		}
		b.post("/logout")
	}
}

func TestDeviceNames(t *testing.T) {
	const (
		windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
		mac     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
		iPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) "
		chrome  = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
		safari  = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
	)
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": "Firefox on Linux",
		windows + chrome + "Safari/537.36":                                       "Chrome on Windows",
		windows + chrome + "Safari/537.36 Edg/140.0.0.0":                         "Edge on Windows",
		iPhone + safari + "Safari/604.1":                                         "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 15) " + chrome + "Mobile Safari/537.36":     "Chrome on Android",
		mac + safari + "Safari/605.1.15":                                         "Safari on macOS",
		"curl/8.5.0":                                                             "curl",
		"":                                                                       unknownDevice,
		strings.Repeat("x", 999):                                                 unknownDevice,
		"\x01/1":                                                                 unknownDevice,
	} {
		if got := deviceName(agent); got != want {
			t.Errorf("deviceName(%q) = %q, want %q", agent, got, want)
		}
	}
}

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock stands still
		for d, want := range map[time.Duration]string{
			time.Minute:                   "1 minute",
			30*time.Minute - time.Second:  "30 minutes",
			time.Hour:                     "1 hour",
			48*time.Hour - 10*time.Second: "2 days",
		} {
			if got := until(time.Now().Add(d)); got != want {
				t.Errorf("until %v from now: got %q, want %q", d, got, want)
			}
		}
	})
}
