package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

var report = session.NewKey[string]("report")

// finishReport is what a job does when the request that started it is over.
func finishReport(m *session.Manager, token string) error {
	ctx := context.Background()
	s, err := m.Open(ctx, token)
	if err != nil {
		return err // ErrEnded: the visitor has logged out meanwhile
	}
	return errors.Join(report.Set(session.NewContext(ctx, s), "ready"), s.Commit(ctx))
}

// Open the session again for work that outlives the request. The request's own context is of no use then.
func ExampleFromContext_incorrect() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

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
			fmt.Println("with the token, error:", finishReport(m, token))
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
