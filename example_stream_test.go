package session_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

var lastEvent = session.NewKey[int]("last event")

// stream sends events from where the visitor's last connection broke off.
func stream(w http.ResponseWriter, r *http.Request) {
	ctx, s := r.Context(), session.FromContext(r.Context())
	from, err := lastEvent.Get(ctx)
	// A new session needs a cookie, so it must be there before the first byte: after it, Set returns ErrTooLate.
	if err := errors.Join(err, lastEvent.Set(ctx, from)); err != nil {
		session.Error(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for n := from + 1; n <= from+2; n++ {
		fmt.Fprintf(w, "data: event %d\n\n", n)
		if err := http.NewResponseController(w).Flush(); err != nil {
			return // the visitor has gone
		}
		// Commit now: the stream may run for hours, and another one may follow on another server. ErrEnded says that
		// the visitor has logged out meanwhile.
		if err := errors.Join(lastEvent.Set(ctx, n), s.Commit(ctx)); err != nil {
			return
		}
	}
}

// Keep state while a response streams.
func ExampleSession_Commit() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	ann := newBrowser(m.Handler(http.HandlerFunc(stream)))
	ann.visit("GET /events", "GET /events")
	// Output:
	// data: event 1
	//
	// data: event 2
	// data: event 3
	//
	// data: event 4
}
