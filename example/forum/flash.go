package main

import "github.com/lazysession/session"

// flash holds messages for the next page. They wait in the session, and survive a login and a logout.
var flash = session.NewFlash("flash")

// The kinds of messages, which are also their classes in the style sheet.
const (
	info    = "info"    // it is done
	warning = "warning" // it is not done, or something else must be done first
)

// notices are messages that a redirect names by a code in the address, so that they need no session. A link from
// another site can make the forum show these messages only.
var notices = map[string]string{
	"to-post":     "Log in to post.",
	"to-sessions": "Log in to see your sessions.",
}
