package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

// Remember a visitor who asks for it.
func ExampleSession_Remember() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	site := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	}))

	newBrowser(site).visit("POST /login?user=ann")
	newBrowser(site).visit("POST /login?user=ann&remember=yes")
	// Output:
	// Come back within 30m0s.
	// Come back within 720h0m0s.
}

// Open the session again for work that outlives the request. The request's own context can't do it.
func ExampleFromContext_incorrect() {
	report := session.NewKey[string]("report")

	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	// finish is what a job does when the request that started it is over.
	finish := func(token string) error {
		ctx := context.Background()
		s, err := m.Open(ctx, token)
		if err != nil {
			return err // ErrEnded: the visitor has logged out meanwhile
		}
		return errors.Join(report.Set(session.NewContext(ctx, s), "ready"), s.Commit(ctx))
	}
	job := make(chan func(), 1) // stands for a queue
	site := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := report.Set(r.Context(), "under way")
		token, err2 := session.FromContext(r.Context()).Token() // opens the session: keep it secret
		if err := errors.Join(err, err2); err != nil {
			session.Error(w, r, err)
			return
		}
		job <- func() {
			err := report.Set(r.Context(), "ready") // incorrect
			fmt.Println("with the request's context, too late:", errors.Is(err, session.ErrTooLate))
			fmt.Println("with the token, error:", finish(token))
		}
		fmt.Fprintln(w, "started")
	}))

	newBrowser(site).visit("POST /report")
	(<-job)()
	// Output:
	// started
	// with the request's context, too late: true
	// with the token, error: <nil>
}
