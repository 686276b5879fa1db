package main

import "github.com/lazysession/session"

// flash holds messages for the next page. They wait in the session, and outlive a login as well as a logout.
var flash = session.NewFlash("flash")

// The kinds of messages, which are also their classes in the style sheet.
const (
	info    = "info"    // it is done
	warning = "warning" // it is not, or something is to be done first
)

// notices are messages that a redirect names by a code, where no session is to begin for their sake. What a link could
// make this site say is limited to these.
var notices = map[string]string{
	"to-post":     "Log in to post.",
	"to-sessions": "Log in to see your sessions.",
}
