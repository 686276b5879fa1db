package session_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

// membersOnly is middleware that needs the session, so it comes after m.Handler.
func membersOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch user, err := session.FromContext(r.Context()).Owner(); {
		case err != nil:
			session.Error(w, r, err)
		case user == "":
			http.Error(w, "Members only.", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// Use sessions with the chi router.
func ExampleManager_Handler_chi() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	r := chi.NewRouter()
	r.Use(m.Handler)
	r.Post("/join", func(w http.ResponseWriter, r *http.Request) {
		if err := session.FromContext(r.Context()).SetOwner("ann"); err != nil {
			session.Error(w, r, err)
			return
		}
		fmt.Fprintln(w, "You have joined.")
	})
	r.Group(func(r chi.Router) {
		r.Use(membersOnly)
		r.Get("/rooms/{room}", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, "This is the", chi.URLParam(r, "room")+".")
		})
	})

	newBrowser(r).visit("GET /rooms/library", "POST /join", "GET /rooms/library")
	// Output:
	// Members only.
	// You have joined.
	// This is the library.
}
