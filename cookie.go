package session

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/lazysession/session/internal/signed"
)

// Cookie describes the session cookie (RFC 6265bis). The zero Cookie is the safest there is: "__Host-session", Secure,
// HttpOnly, SameSite=Lax, Path=/, gone with the browser.
type Cookie struct {
	// Name defaults to "__Host-session"; for a cookie that can't carry that prefix (Domain, another Path or
	// InsecureForDevelopment), to "session". With SecureAuto, it is the name over plain http, and has a prefix over
	// TLS.
	Name string

	// Path defaults to "/".
	Path string

	// Domain, when set, lets every host below it read the cookie. Defaults to the host alone.
	Domain string

	// SameSite defaults to http.SameSiteLaxMode.
	SameSite http.SameSite

	// Secure says whether the cookie travels over TLS only. Defaults to SecureAlways.
	Secure SecurePolicy

	// Partitioned keys the cookie to the top-level site (CHIPS). Defaults to false.
	Partitioned bool

	// Persistent makes cookies of new sessions outlive the browser; Session.Persist decides for one session.
	// Defaults to false.
	Persistent bool
}

// A SecurePolicy says whether a cookie is for TLS only.
type SecurePolicy uint8

const (
	// SecureAlways marks the cookie Secure. Behind a proxy that ends TLS this is right as well.
	SecureAlways SecurePolicy = iota

	// SecureAuto marks the cookie Secure where the request came over TLS, and lets it travel in the clear where it did
	// not: for a program that others host, which can't know. It came over TLS if this server's connection did
	// (http.Request.TLS), or if a proxy that Config.TrustedProxies names says so. Where it is known that all visitors
	// come over TLS, SecureAlways is better.
	//
	// There are two cookies then. Over TLS it is "__Host-session", or "__Secure-session" with a Domain or another Path;
	// over plain http it is "session"; a Name of your own takes the place of "session" in each. Over TLS only the
	// prefixed one is read. Browsers accept it only from this site over TLS, so a cookie that an attacker has planted or
	// read on a plain connection opens no session there.
	//
	// What it gives up: over plain http anybody on the way can read the cookie and so take over that session, or plant
	// one. The two cookies share no session, so a visitor loses it when changing from http to https. And a proxy that
	// TrustedProxies does not name costs its visitors the Secure attribute; a warning in the log says so.
	SecureAuto

	// InsecureForDevelopment lets the cookie travel in the clear, for plain http on a developer's machine.
	InsecureForDevelopment
)

const defaultCookieName = "session"

func (c Cookie) withDefaults() Cookie {
	setDefault(&c.Path, "/")
	setDefault(&c.SameSite, http.SameSiteLaxMode)
	if c.SameSite == http.SameSiteDefaultMode {
		c.SameSite = http.SameSiteLaxMode
	}
	if c.Name == "" {
		c.Name = defaultCookieName
		if c.hostOnly() {
			c.Name = "__Host-" + defaultCookieName
		}
	}
	return c
}

// hostOnly reports whether the cookie meets the conditions of the __Host- prefix (RFC 6265bis, section 4.1.3.2).
func (c Cookie) hostOnly() bool { return c.Secure == SecureAlways && c.Domain == "" && c.Path == "/" }

// check returns everything for which browsers would drop or change the cookie without a word.
func (c Cookie) check() error {
	return errors.Join(c.checkName(), c.checkPath(), c.checkDomain(), c.checkSecure())
}

// RFC 6265bis, section 5.7: a browser ignores a cookie whose name and value together have more bytes.
const maxNameAndValue = 4096

func (c Cookie) checkName() error {
	longest := maxNameAndValue - signed.MaxLen
	if name := c.overTLS().Name; len(name) > longest {
		return fmt.Errorf("session: cookie name %.40q… has %d bytes: want at most %d", name, len(name), longest)
	}
	if strings.IndexFunc(c.Name, notTokenChar) >= 0 {
		return fmt.Errorf("session: cookie name %q: want letters, digits and !#$%%&'*+-.^_`|~", c.Name)
	}
	// RFC 6265bis, section 5.7: prefixes are compared without regard to case.
	switch prefix := strings.ToLower(c.Name); {
	case c.Secure == SecureAuto && (strings.HasPrefix(prefix, "__host-") || strings.HasPrefix(prefix, "__secure-")):
		return fmt.Errorf("session: cookie name %q: SecureAuto puts the prefix before it, where the request came over TLS",
			c.Name)
	case strings.HasPrefix(prefix, "__host-") && !c.hostOnly():
		return fmt.Errorf("session: cookie name %q: the prefix needs Secure, Path \"/\" and no Domain", c.Name)
	case c.Secure != SecureAlways && (strings.HasPrefix(prefix, "__http-") || strings.HasPrefix(prefix, "__secure-")):
		return fmt.Errorf("session: cookie name %q: the prefix needs Secure", c.Name)
	}
	return nil
}

// notTokenChar reports whether r may not stand in a token (RFC 9110, section 5.6.2), which a cookie's name is.
func notTokenChar(r rune) bool {
	letterOrDigit := '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	return !letterOrDigit && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// RFC 6265bis, section 5.6: a browser ignores an attribute value of more bytes.
const maxAttribute = 1024

func (c Cookie) checkPath() error {
	switch {
	case !strings.HasPrefix(c.Path, "/"):
		return fmt.Errorf("session: cookie path %q: want a leading slash", c.Path)
	case len(c.Path) > maxAttribute:
		return fmt.Errorf("session: cookie path %.40q… has %d bytes: want at most %d", c.Path, len(c.Path), maxAttribute)
	case strings.ContainsFunc(c.Path, notPathChar):
		return fmt.Errorf("session: cookie path %q: want a URL's path as it is sent, in ASCII, with %%20 for a space", c.Path)
	}
	return nil
}

// notPathChar reports whether r never stands in the path of a request (RFC 3986, section 3.3), which browsers compare
// the cookie's with byte by byte; a semicolon may, but ends the attribute.
func notPathChar(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(";?#\"<>\\^`{|}", r)
}

func (c Cookie) checkDomain() error {
	if c.Domain == "" {
		return nil
	}
	// A host with a dot at its end is another one to browsers, and no request's.
	if (&http.Cookie{Name: "n", Domain: c.Domain}).Valid() != nil || strings.HasSuffix(c.Domain, ".") {
		return fmt.Errorf("session: cookie domain %.300q: want a host name", c.Domain)
	}
	return nil
}

func (c Cookie) checkSecure() error {
	var errs []error
	if c.Secure > InsecureForDevelopment {
		errs = append(errs, fmt.Errorf(
			"session: cookie Secure is %d: want SecureAlways, SecureAuto or InsecureForDevelopment", c.Secure))
	}
	if c.SameSite == http.SameSiteNoneMode && c.Secure != SecureAlways {
		errs = append(errs, errors.New("session: cookie SameSite=None needs Secure"))
	}
	if c.SameSite < 0 || c.SameSite > http.SameSiteNoneMode {
		errs = append(errs, fmt.Errorf("session: cookie SameSite is %d: want one of net/http's modes", c.SameSite))
	}
	if c.Partitioned && c.Secure != SecureAlways {
		errs = append(errs, errors.New("session: cookie Partitioned needs Secure"))
	}
	return errors.Join(errs...)
}

// line is a Set-Cookie line. As in net/http, a maxAge of 0 says nothing of age and a negative one removes the cookie.
func (c Cookie) line(value string, maxAge int) string {
	cookie := http.Cookie{
		Name:        c.Name,
		Value:       value,
		Path:        c.Path,
		Domain:      c.Domain,
		MaxAge:      maxAge,
		Secure:      c.Secure == SecureAlways,
		HttpOnly:    true, // no knob: a script has no business with it
		SameSite:    c.SameSite,
		Partitioned: c.Partitioned,
	}
	return cookie.String()
}
