package session

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/lazysession/session/internal/signed"
)

// overTLS returns the cookie of requests that came over TLS.
func (c Cookie) overTLS() Cookie {
	if c.Secure != SecureAuto {
		return c
	}
	c.Secure = SecureAlways
	if c.hostOnly() {
		c.Name = "__Host-" + c.Name
	} else {
		c.Name = "__Secure-" + c.Name
	}
	return c
}

// A secureAuto is what a Manager needs for SecureAuto beside the cookie of requests over TLS.
type secureAuto struct {
	overHTTP *transport     // of the cookie of other requests
	signer   *signed.Signer // of their tokens: a token that was read in the clear opens nothing over TLS
	proxies  []netip.Prefix // of which X-Forwarded-Proto is believed
}

// newSecureAuto returns nil where the cookie is the same for all requests.
func newSecureAuto(cfg *Config) *secureAuto {
	if cfg.Cookie.Secure != SecureAuto {
		return nil
	}
	return &secureAuto{overHTTP: newTransport(newCookieCarrier(cfg.Cookie)), proxies: cfg.TrustedProxies,
		signer: signed.New(cfg.Cookie.Name, cfg.Keys, cfg.Lifetime)}
}

// overTLS reports whether the client sent r over TLS, as far as can be relied on.
func (a *secureAuto) overTLS(r *http.Request) bool {
	return r.TLS != nil || a.trusts(r.RemoteAddr) && forwardedOverTLS(r.Header)
}

func (a *secureAuto) trusts(remoteAddr string) bool {
	if len(a.proxies) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return false
	}
	addr := peer.Addr().Unmap().WithZone("") // no prefix has a zone
	for _, p := range a.proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// forwardedOverTLS reports whether the nearest proxy says so: the last of several values, since what a client or
// another proxy has sent stands before.
func forwardedOverTLS(h http.Header) bool {
	lines := h["X-Forwarded-Proto"]
	if len(lines) == 0 {
		return false
	}
	last := lines[len(lines)-1]
	last = last[strings.LastIndexByte(last, ',')+1:]
	return strings.EqualFold(strings.TrimSpace(last), "https")
}
