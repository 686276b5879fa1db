package sessiontest

import (
	"net/http"
	"slices"
	"time"

	"github.com/lazysession/session"
)

// receive changes a request to the one that the client sends after it got a response.
func receive(req *http.Request, res *http.Response) {
	receiveCookies(req, res.Cookies())
	receiveToken(req, res.Header)
}

// receiveCookies replaces cookies of the request. It ignores their domains and paths, since the test has chosen what to
// send where.
func receiveCookies(req *http.Request, set []*http.Cookie) {
	if len(set) == 0 {
		return
	}
	kept := slices.DeleteFunc(req.Cookies(), func(c *http.Cookie) bool { return named(set, c.Name) })
	req.Header.Del("Cookie")
	for i, c := range set {
		if !over(c) && !named(set[i+1:], c.Name) {
			kept = append(kept, c)
		}
	}
	for _, c := range kept {
		req.AddCookie(c)
	}
}

func named(cookies []*http.Cookie, name string) bool {
	return slices.ContainsFunc(cookies, func(c *http.Cookie) bool { return c.Name == name })
}

// RFC 6265bis, section 5.7: Max-Age has precedence over Expires. net/http reads "Max-Age=0" as -1.
func over(c *http.Cookie) bool {
	return c.MaxAge < 0 || c.MaxAge == 0 && !c.Expires.IsZero() && c.Expires.Before(time.Now())
}

// receiveToken is for session.BearerHeader, which sends a new token or, for a session that has ended, an empty one.
func receiveToken(req *http.Request, h http.Header) {
	tokens, ok := h[session.TokenHeader]
	if !ok || len(tokens) == 0 {
		return
	}
	req.Header.Del("Authorization")
	if token := tokens[len(tokens)-1]; token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
}
