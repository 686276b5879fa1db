package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var idInList = regexp.MustCompile(`name="id" value="([0-9a-f]{32})"`)

// otherDevices returns the IDs that the list of sessions offers to end.
func (b *browser) otherDevices() (ids []string) {
	b.t.Helper()
	for _, found := range idInList.FindAllStringSubmatch(b.get("/sessions").body, -1) {
		ids = append(ids, found[1])
	}
	return ids
}

func TestYourSessionsAreListedAndEnded(t *testing.T) {
	address := startForum(t)
	laptop, phone, tablet := openBrowser(t, address), openBrowser(t, address), openBrowser(t, address)
	phone.agent = "Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile"
	stranger := openBrowser(t, address)
	for _, b := range []*browser{laptop, phone, tablet} {
		b.logIn("Ann")
	}
	stranger.logIn("Bob")

	list := laptop.get("/sessions")
	list.wants(t, http.StatusOK, "Firefox on Linux", "Chrome on Android", "this device")
	list.wantsNot(t, "Bob")
	if n := strings.Count(list.body, "this device"); n != 1 {
		t.Errorf("%d sessions are marked as this device, want 1", n)
	}
	if strings.Index(list.body, "this device") > strings.Index(list.body, "Chrome on Android") {
		t.Error("this device is not the first")
	}
	others := laptop.otherDevices()
	if len(others) != 2 {
		t.Fatalf("%d other sessions can be ended, want 2", len(others))
	}

	// Newest first: the tablet's, then the phone's.
	laptop.post("/sessions/end", "id", others[1]).wants(t, http.StatusOK, "The session on Chrome on Android has ended.")
	if phone.loggedIn() {
		t.Error("the phone is still logged in")
	}
	if !tablet.loggedIn() || !laptop.loggedIn() {
		t.Error("another session than the phone's has ended")
	}

	phone.logIn("Ann")
	laptop.post("/sessions/end-others").wants(t, http.StatusOK, "Ended 2 other sessions.", "No other device")
	if phone.loggedIn() || tablet.loggedIn() {
		t.Error("others are still logged in")
	}
	if !laptop.loggedIn() || !stranger.loggedIn() {
		t.Error("more than the other sessions of Ann have ended")
	}
}

func TestEndingThisDeviceLogsOut(t *testing.T) {
	address := startForum(t)
	b, other := openBrowser(t, address), openBrowser(t, address)
	b.logIn("Ann")
	other.logIn("Ann")
	id := other.otherDevices()[0]
	b.post("/sessions/end", "id", id).wants(t, http.StatusOK, "You have logged out.")
	if b.loggedIn() {
		t.Error("still logged in")
	}
}

func TestSomeoneElsesSessionCantBeEnded(t *testing.T) {
	address := startForum(t)
	ann, annsPhone, eve := openBrowser(t, address), openBrowser(t, address), openBrowser(t, address)
	ann.logIn("Ann")
	annsPhone.logIn("Ann")
	eve.logIn("Eve")
	id := annsPhone.otherDevices()[0] // Ann's

	theirs := eve.post("/sessions/end", "id", id)
	unknown := eve.post("/sessions/end", "id", strings.Repeat("0", 32))
	theirs.wants(t, http.StatusNotFound)
	unknown.wants(t, http.StatusNotFound)
	if theirs.body != unknown.body {
		t.Error("the answer tells a session of somebody else from one that does not exist")
	}
	eve.post("/sessions/end", "id", "yes").wants(t, http.StatusBadRequest)
	eve.post("/sessions/end").wants(t, http.StatusBadRequest)
	openBrowser(t, address).post("/sessions/end", "id", id).wants(t, http.StatusOK, "Log in to see your sessions.")
	openBrowser(t, address).post("/sessions/end-others").wants(t, http.StatusOK, "Log in to see your sessions.")
	if !ann.loggedIn() || !annsPhone.loggedIn() {
		t.Error("a session of Ann has ended")
	}
}

func TestInsideShowsTheSessionAndNoToken(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.get("/forums/lobby")
	b.logIn("Ann")
	a := b.get("/inside")
	a.wants(t, http.StatusOK, "<code>hits/lobby</code>", "<code>1</code>", "<code>&#34;Ann&#34;</code>",
		"in 30 minutes", "Firefox on Linux", "1 load, 0 commits")
	a.wantsNot(t, b.cookie())
}
