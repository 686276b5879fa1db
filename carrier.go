package session

import (
	"net/http"
	"strings"
	"time"
)

// A Carrier takes signed tokens from requests and puts them into responses. Tokens it finds need no check of its own:
// the Manager verifies them, and refuses a request with two different valid ones. A Carrier may be used by many
// goroutines at once.
type Carrier interface {
	// AppendTokens appends every token in the request to dst, as it was found.
	AppendTokens(dst []string, r *http.Request) []string
	// Send puts a token into the header of a response. The client should keep it for maxAge; 0 means until it quits.
	Send(h http.Header, token string, maxAge time.Duration)
	// Remove tells the client, by the header of a response, to forget its token.
	Remove(h http.Header)
	// Vary names the request header that AppendTokens reads, for the response's Vary header.
	Vary() string
}

// A headerCarrier is a Carrier that reads the one header which Vary names, and nothing else.
type headerCarrier interface {
	Carrier
	appendFrom(dst, lines []string) []string
}

// tokensLocked returns every token in the request.
func (s *Session) tokensLocked() []string {
	carrier := s.carrier()
	if c, ok := carrier.(headerCarrier); ok {
		return c.appendFrom(s.found[:0], s.x.lines)
	}
	return carrier.AppendTokens(s.found[:0], &s.x.req)
}

// carrier returns the Carrier of the session's request.
func (s *Session) carrier() Carrier {
	if s.m.auto != nil && !s.x.overTLS {
		return s.m.auto.overHTTP
	}
	return s.m.carrier
}

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
