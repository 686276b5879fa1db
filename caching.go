package session

import (
	"net/http"
	"strings"
)

// addVary says that the response depends on a request header (RFC 9110, section 12.5.5), unless it says so already. The
// name is empty where a Carrier reads none. The line is kept in room, where there is none yet.
func addVary(h http.Header, name string, room []string) {
	if name == "" {
		return
	}
	lines := h["Vary"]
	for _, line := range lines {
		for field := range strings.SplitSeq(line, ",") {
			field = strings.TrimSpace(field)
			if field == "*" || strings.EqualFold(field, name) {
				return
			}
		}
	}
	if lines == nil {
		lines = room
	}
	h["Vary"] = append(lines, name)
}

// forbidSharedCaching makes sure that no cache which several people use stores the response, whatever the handler said
// of caching: it carries somebody's token (RFC 9111, sections 3 and 5.2.2.7).
func forbidSharedCaching(h http.Header) {
	directives, private := []string(nil), false
	for _, line := range h["Cache-Control"] {
		for d := range strings.SplitSeq(line, ",") {
			d = strings.TrimSpace(d)
			switch name, _, _ := strings.Cut(strings.ToLower(d), "="); name {
			case "", "public", "s-maxage", "must-understand": // the last would let caches pass over no-store
				continue
			case "private", "no-store":
				private = private || name == strings.ToLower(d) // private="a-header" protects that header only
			}
			directives = append(directives, d)
		}
	}
	if !private {
		directives = append(directives, "private")
	}
	h.Set("Cache-Control", strings.Join(directives, ", "))
	dropTargeted(h)
}

// forbidCaching makes sure that no cache at all stores the response: it says that something went wrong.
func forbidCaching(h http.Header) {
	h.Set("Cache-Control", "no-store")
	dropTargeted(h)
}

// dropTargeted drops what overrides Cache-Control in the caches it is for: the fields of RFC 9213, section 2, which a
// vendor's name may precede, and their forerunners. A handler may have written them in any case.
func dropTargeted(h http.Header) {
	for name := range h {
		if hasSuffixFold(name, "CDN-Cache-Control") || strings.EqualFold(name, "Surrogate-Control") ||
			strings.EqualFold(name, "Edge-Control") || strings.EqualFold(name, "X-Accel-Expires") {
			delete(h, name)
		}
	}
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}
