package session_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

func logInAndRemember(w http.ResponseWriter, r *http.Request) {
	s := session.FromContext(r.Context())
	err := errors.Join(s.Renew(), s.SetOwner(r.FormValue("user")))
	if r.FormValue("remember") == "yes" {
		err = errors.Join(err, s.Remember(30*24*time.Hour)) // used or not, and also when the browser quits
	}
	info, err2 := s.Info()
	if err := errors.Join(err, err2); err != nil {
		session.Error(w, r, err)
		return
	}
	fmt.Fprintf(w, "Come back within %v.\n", info.Expires.Sub(info.Created))
}

// Remember a visitor who asks for it.
func ExampleSession_Remember() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	site := m.Handler(http.HandlerFunc(logInAndRemember))

	newBrowser(site).visit("POST /login?user=ann")
	newBrowser(site).visit("POST /login?user=ann&remember=yes")
	// Output:
	// Come back within 30m0s.
	// Come back within 720h0m0s.
}
