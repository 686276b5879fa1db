package session

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A Carrier takes signed tokens from requests and puts them into responses. Tokens it finds need no check of its own:
// the Manager verifies them, and refuses a request with valid ones of two live sessions. A Carrier may be used by many
// goroutines at once.
type Carrier interface {
	// AppendTokens appends every token in the request to dst, as it was found. The request's context is the one that
	// the Manager's Handler was called with: it has no session of this Manager.
	AppendTokens(dst []string, r *http.Request) []string
	// Send puts a token into the header of a response. The client should keep it for maxAge; 0 means until it quits.
	Send(h http.Header, token string, maxAge time.Duration)
	// Remove tells the client, by the header of a response, to forget its token.
	Remove(h http.Header)
	// Vary names the request header that AppendTokens reads, for the response's Vary header.
	Vary() string
}

// A transport is a Carrier and what is known of its kind.
type transport struct {
	Carrier
	header headerCarrier  // nil unless it reads one header and nothing else
	cookie *cookieCarrier // nil unless it is the cookie
}

// A headerCarrier is a Carrier that reads the one header which Vary names, and nothing else.
type headerCarrier interface {
	appendFrom(dst, lines []string) []string
}

func newTransport(c Carrier) *transport {
	t := &transport{Carrier: c}
	t.header, _ = c.(headerCarrier)
	t.cookie, _ = c.(*cookieCarrier)
	return t
}

// A cookieCarrier carries tokens in the cookie: the default Carrier.
type cookieCarrier struct {
	Cookie
	attributes string // of a Set-Cookie line that says nothing of age, after the value
}

func newCookieCarrier(c Cookie) *cookieCarrier {
	return &cookieCarrier{c, strings.TrimPrefix(c.line("", 0), c.Name+"=")}
}

// AppendTokens goes through the Cookie header itself, since http.Request.Cookie allocates, takes
// the first of several, trims "__Host-x =v" to the name of the real one, and sees nothing at all past 3,000 cookies.
func (c *cookieCarrier) AppendTokens(dst []string, r *http.Request) []string {
	return c.appendFrom(dst, r.Header[c.Vary()])
}

func (c *cookieCarrier) appendFrom(dst, lines []string) []string {
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			name, value, ok := strings.Cut(strings.TrimLeft(pair, " \t"), "=")
			if ok && name == c.Name {
				dst = append(dst, strings.TrimRight(value, " \t"))
			}
		}
	}
	return dst
}

func (c *cookieCarrier) Send(h http.Header, token string, maxAge time.Duration) {
	age := int(maxAge.Seconds())
	if age == 0 { // most cookies go with the browser: what their lines share is made once
		h.Add("Set-Cookie", c.Name+"="+token+c.attributes)
		return
	}
	h.Add("Set-Cookie", c.line(token, age))
}

func (c *cookieCarrier) Remove(h http.Header) { h.Add("Set-Cookie", c.line("", -1)) }

// removeOthers removes cookies of this name that an earlier configuration may have set with another Domain or Path: for
// the host alone, for the host and the domains above it, for the Path and for all paths. A browser ignores what it does
// not have, and a domain that is a public suffix.
func (c *cookieCarrier) removeOthers(h http.Header, host string) {
	if strings.HasPrefix(strings.ToLower(c.Name), "__host-") {
		return // there is one scope only
	}
	for _, domain := range append([]string{""}, domainsOf(host)...) {
		for _, path := range slices.Compact([]string{c.Path, "/"}) {
			if strings.EqualFold(domain, strings.TrimPrefix(c.Domain, ".")) && path == c.Path {
				continue
			}
			other := c.Cookie
			other.Domain, other.Path = domain, path
			h.Add("Set-Cookie", other.line("", -1))
		}
	}
}

// domainsOf returns what a cookie's Domain may be at a host: the host itself and the domains above it.
func domainsOf(host string) (domains []string) {
	const most = 4
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return nil
	}
	for len(domains) < most && strings.Contains(host, ".") {
		domains = append(domains, strings.ToLower(host))
		_, host, _ = strings.Cut(host, ".")
	}
	return domains
}

func (*cookieCarrier) Vary() string { return "Cookie" }

// TokenHeader is the response header in which BearerHeader sends a new token; empty when the session has ended.
const TokenHeader = "Session-Token"

// BearerHeader returns the Carrier for clients that keep no cookies: the token comes as "Authorization: Bearer <token>"
// (RFC 6750, section 2.1) and goes out in the TokenHeader.
func BearerHeader() Carrier { return bearer{} }

type bearer struct{}

func (b bearer) AppendTokens(dst []string, r *http.Request) []string {
	return b.appendFrom(dst, r.Header[b.Vary()])
}

func (bearer) appendFrom(dst, lines []string) []string {
	for _, line := range lines {
		// RFC 9110, section 11.1: the scheme is case-insensitive.
		scheme, token, ok := strings.Cut(line, " ")
		if ok && strings.EqualFold(scheme, "Bearer") {
			dst = append(dst, strings.TrimLeft(token, " "))
		}
	}
	return dst
}

func (bearer) Send(h http.Header, token string, _ time.Duration) { h.Set(TokenHeader, token) }

func (bearer) Remove(h http.Header) { h.Set(TokenHeader, "") }

func (bearer) Vary() string { return "Authorization" }
