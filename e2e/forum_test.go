package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// lobby is a forum that is there from the start.
const lobby = "/forums/lobby"

func TestPost(t *testing.T) {
	forum := startForum(t)
	ada := newPerson(t, startChromium(t), forum.url)
	const text = `<script>alert("mine")</script> & <b>more</b>`

	ada.logIn("Ada")
	ada.open("/")
	ada.click(`//a[@href="` + lobby + `"]`)
	ada.click(link("New post"))
	ada.write(field("Your post"), text)
	ada.click(button("Post"))

	ada.want("Your post is up.")
	ada.want(text)
	if n := evaluate[int](ada, `document.querySelectorAll("main script, main b").length`); n != 0 {
		t.Errorf("%d elements of the post's own are in the page, want its text alone", n)
	}
	ada.open(lobby)
	ada.wantNot("Your post is up.")
}

// TestPostBeforeLogin posts after a logout in another tab. The text waits until the login.
func TestPostBeforeLogin(t *testing.T) {
	forum := startForum(t)
	ada := newPerson(t, startChromium(t), forum.url)
	const text = "not to be lost"

	ada.logIn("Ada")
	ada.open(lobby + "/new")
	other := ada.anotherTab()
	other.open("/")
	other.click(button("Log out"))
	other.want("You have logged out.")

	ada.write(field("Your post"), text)
	ada.click(button("Post"))
	ada.want("What you wrote is kept")
	ada.write(field("Name"), "Ada")
	ada.click(button("Log in"))
	if got := evaluate[string](ada, `document.querySelector("textarea").value`); got != text {
		t.Fatalf("after the login the form has %q, want %q", got, text)
	}
	ada.click(button("Post"))
	ada.want(text)
}

// TestNameIsRefused sends a name that the browser lets through and the forum does not.
func TestNameIsRefused(t *testing.T) {
	forum := startForum(t)
	somebody := newPerson(t, startChromium(t), forum.url)

	somebody.open("/login")
	somebody.write(field("Name"), "   ")
	somebody.wantStatus("logging in without a name", 422, chromedp.Click(button("Log in")))
	somebody.want("Enter a name.")
	screenshot(somebody, "login-refused")
}
