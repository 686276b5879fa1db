package e2e

import (
	"fmt"
	"testing"
)

// TestMessagesCanBeRead looks at the messages of each kind on a phone and a desk, by day and by night.
func TestMessagesCanBeRead(t *testing.T) {
	forum := startForum(t)
	ada := newPerson(t, startChromium(t), forum.url)
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{360, 1200} {
			ada.see(scheme, width)
			look := func(name, message string) {
				ada.want(message)
				screenshot(ada, fmt.Sprintf("message-%s-%s-%d", name, scheme, width))
				ada.checkWidth()
				ada.checkContrast()
			}
			ada.open(lobby + "/new")
			look("login", "Log in to post.")
			ada.write(field("Name"), "Ada")
			ada.click(button("Log in"))
			look("welcome", "Welcome, Ada.")
			ada.click(button("Log out"))
			look("goodbye", "You have logged out.")
			ada.open("/inside")
			ada.wantNot("You have logged out.")
		}
	}
}
