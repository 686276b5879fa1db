package session_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

// Hear of sessions that come and go, on any server: for an audit log, or to close what belongs to them.
func ExampleManager_Subscribe() {
	m, err := session.New(mem.New(nil), &session.Config{MaxPerOwner: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	told := make(chan string, 1)
	cancel := m.Subscribe(func(e session.Event) {
		switch e.Kind {
		case session.EventEnded:
			told <- fmt.Sprintf("a session of %s has ended, evicted: %v", e.Owner, e.Reason == session.Evicted)
		case session.EventMissed: // this function was too slow: list the sessions to see what is left
		}
	})
	defer cancel()

	site := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := session.FromContext(r.Context()).SetOwner("ann"); err != nil {
			session.Error(w, r, err)
			return
		}
		fmt.Fprintln(w, "You are logged in.")
	}))
	newBrowser(site).visit("POST /login")
	newBrowser(site).visit("POST /login") // ann may have one session
	fmt.Println(<-told)
	// Output:
	// You are logged in.
	// You are logged in.
	// a session of ann has ended, evicted: true
}
