package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

// Replace the signing key without logging anybody out. Each step is a deploy to all servers.
func ExampleConfig_keys() {
	// In a program, keys are random and secret, and come from outside: session.ParseKeys(os.Getenv("SESSION_KEYS"))
	oldKey, newKey := bytes.Repeat([]byte("o"), 32), bytes.Repeat([]byte("n"), 32)
	ctx, db := context.Background(), mem.New(nil)
	start := func(keys ...[]byte) *session.Manager { // a server that starts with these keys
		m, err := session.New(db, &session.Config{Keys: keys})
		if err != nil {
			log.Fatal(err)
		}
		return m
	}

	m := start(oldKey)
	s, err := m.Create(ctx)
	if err != nil {
		log.Fatal(err)
	}
	token, _ := s.Token()
	m.Close()

	// 1. Every server learns to verify the new key, before any server signs with it.
	// 2. Every server signs with the new key, and still verifies the old one.
	// 3. Remove the old key when the last session from before step 2 has ended: after Config.Lifetime, or the longest
	//    that Session.SetLifetime gave. A browser with a token signed by it is a new visitor.
	for _, keys := range [][][]byte{{oldKey, newKey}, {newKey, oldKey}, {newKey}} {
		m := start(keys...)
		_, err := m.Open(ctx, token)
		fmt.Println("logged out:", errors.Is(err, session.ErrEnded))
		m.Close()
	}
	// Output:
	// logged out: false
	// logged out: false
	// logged out: true
}

// Use sessions with the chi router.
func ExampleManager_Handler_chi() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	// membersOnly needs the session, so it comes after m.Handler.
	membersOnly := func(next http.Handler) http.Handler {
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

// Serve clients that keep no cookies: programs and apps.
func ExampleBearerHeader() {
	m, err := session.New(mem.New(nil), &session.Config{
		Carrier:     session.BearerHeader(),
		IdleTimeout: 30 * 24 * time.Hour,
		Lifetime:    90 * 24 * time.Hour,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		account, secret, ok := r.BasicAuth()
		if !ok || secret != "swordfish" {
			http.Error(w, "Who are you?", http.StatusUnauthorized)
			return
		}
		if err := session.FromContext(r.Context()).SetOwner(account); err != nil {
			session.Error(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent) // the token is in the header
	})
	mux.HandleFunc("GET /whoami", func(w http.ResponseWriter, r *http.Request) {
		owner, err := session.FromContext(r.Context()).Owner()
		if err != nil {
			session.Error(w, r, err)
			return
		}
		fmt.Fprintf(w, "You are %s.", owner)
	})
	api := m.Handler(mux)

	// curl -i -X POST -u robot:swordfish https://api.example.com/token
	r, w := httptest.NewRequest("POST", "/token", nil), httptest.NewRecorder()
	r.SetBasicAuth("robot", "swordfish")
	api.ServeHTTP(w, r)
	token := w.Header().Get(session.TokenHeader)

	// curl -H "Authorization: Bearer $token" https://api.example.com/whoami
	r, w = httptest.NewRequest("GET", "/whoami", nil), httptest.NewRecorder()
	r.Header.Set("Authorization", "Bearer "+token)
	api.ServeHTTP(w, r)
	fmt.Println(w.Body)
	// Output: You are robot.
}

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
