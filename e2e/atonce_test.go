package e2e

import "testing"

// TestVisitsAtOnce presses the button, and wants each picture to have come and each visit to count.
func TestVisitsAtOnce(t *testing.T) {
	forum := startForum(t, "-name", "forum1")
	ada := newPerson(t, startChromium(t), forum.url)
	ada.open(lobby)
	ada.click(button("20 visits at once"))
	ada.want("This page is visit number 2.")
	ada.waitUntil(`[...document.images].every(i => i.complete)`)
	screenshot(ada, "at-once")
	const loaded = `[...document.querySelectorAll("main img")].filter(i => i.naturalWidth > 0).length`
	if n := evaluate[int](ada, loaded); n != 20 {
		t.Errorf("%d pictures have come, want 20", n)
	}
	ada.want("the next visit is number 23")
	ada.click(button("Visit again, and see"))
	ada.want("You have visited this forum 23 times in the current session.")
}
