package e2e

import (
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// TestCookieAsTheBrowserHasIt compares what the browser keeps with what is promised.
func TestCookieAsTheBrowserHasIt(t *testing.T) {
	for _, test := range []struct {
		name, cookie string
		secure       bool
		args         []string
	}{
		{"plain http", "session", false, nil},
		{"TLS", "__Host-session", true, selfSigned(t)},
	} {
		t.Run(test.name, func(t *testing.T) {
			forum := startForum(t, test.args...)
			ada := newPerson(t, startChromium(t, chromedp.IgnoreCertErrors), forum.url)
			for _, path := range []string{"/", "/about", "/login", "/inside"} {
				ada.open(path)
			}
			if cookies := cookiesOf(ada); len(cookies) != 0 {
				t.Fatalf("a visitor who has only read has the cookie %q, want none", cookies[0].Name)
			}

			ada.logIn("Ada")
			c := onlyCookie(ada)
			if c.Name != test.cookie || c.Secure != test.secure {
				t.Errorf("got %q with Secure %v, want %q with %v", c.Name, c.Secure, test.cookie, test.secure)
			}
			if !c.HTTPOnly || c.SameSite != network.CookieSameSiteLax || c.Path != "/" || c.Domain != "127.0.0.1" || !c.Session {
				t.Errorf("got HttpOnly %v, SameSite=%s, Path=%s, Domain=%s, gone with the browser %v; "+
					"want true, Lax, /, 127.0.0.1, true",
					c.HTTPOnly, c.SameSite, c.Path, c.Domain, c.Session)
			}
			if got := evaluate[string](ada, `document.cookie`); got != "" {
				t.Errorf("scripts can read %q, want nothing", got)
			}
		})
	}
}

// TestLoginReplacesTheCookie has somebody see a visitor's cookie before the login, and use it after.
func TestLoginReplacesTheCookie(t *testing.T) {
	forum := startForum(t)
	browser := startChromium(t)
	ada, thief := newPerson(t, browser, forum.url), newPerson(t, browser, forum.url)
	ada.open(lobby) // begins a session
	seen := onlyCookie(ada)
	ada.logIn("Ada")
	ada.open(lobby)
	ada.want("You have visited this forum 2 times in the current session.")

	stolen := network.SetCookieParams{Name: seen.Name, Value: seen.Value, URL: forum.url}
	if _, err := chromedp.Call(thief.ctx, network.SetCookie, stolen); err != nil {
		t.Fatal(err)
	}
	thief.open("/inside")
	thief.want("you have no session")
}

// TestRememberMe wants a cookie that outlives the browser.
func TestRememberMe(t *testing.T) {
	forum := startForum(t)
	ada := newPerson(t, startChromium(t), forum.url)
	ada.open("/login")
	ada.write(field("Name"), "Ada")
	ada.do("ticking", chromedp.Click(`//label[starts-with(normalize-space(), "Remember me")]/input`))
	ada.click(button("Log in"))
	c := onlyCookie(ada)
	lasts := time.Until(time.Unix(int64(c.Expires), 0)).Round(time.Hour)
	if want := 30 * 24 * time.Hour; c.Session || lasts != want {
		t.Errorf("the cookie lasts %v (gone with the browser: %v), want %v", lasts, c.Session, want)
	}
}

func cookiesOf(p *tab) []*network.Cookie {
	p.t.Helper()
	result, err := chromedp.Call(p.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{p.site}})
	if err != nil {
		p.t.Fatal(err)
	}
	return result.Cookies
}

func onlyCookie(p *tab) *network.Cookie {
	p.t.Helper()
	cookies := cookiesOf(p)
	if len(cookies) != 1 {
		p.t.Fatalf("got %d cookies, want 1", len(cookies))
	}
	return cookies[0]
}
