package session_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// A tracedStore prints what it is asked for. It embeds the store itself, not a store.Store: so the optional interfaces,
// for lists, events and sweeping, are still found.
//
// Its test is one line, as that of a store made from scratch: storetest.Run(t, func(t *testing.T) store.Store { … })
type tracedStore struct{ *mem.Store }

var _ store.Store = tracedStore{}

func (s tracedStore) Load(ctx context.Context, token store.Token) (*store.Record, error) {
	rec, err := s.Store.Load(ctx, token)
	fmt.Println("  load: error", err)
	return rec, err
}

func (s tracedStore) Commit(ctx context.Context, token store.Token, change *store.Change) (*store.Record, error) {
	rec, err := s.Store.Commit(ctx, token, change)
	fmt.Println("  commit: created", change.Created, "edits", len(change.Edits), "error", err)
	return rec, err
}

// Put a store of your own under the sessions; here, one that wraps another.
func ExampleNew_ownStore() {
	m, err := session.New(tracedStore{mem.New(nil)}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	theme := session.NewKey[string]("theme")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /static", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "static") })
	mux.HandleFunc("GET /theme", func(w http.ResponseWriter, r *http.Request) {
		if err := theme.Set(r.Context(), "dark"); err != nil {
			session.Error(w, r, err)
			return
		}
		fmt.Fprintln(w, "dark")
	})

	newBrowser(m.Handler(mux)).visit("GET /theme", "GET /static", "GET /theme")
	// Output:
	//   commit: created true edits 1 error <nil>
	// dark
	// static
	//   load: error <nil>
	//   commit: created false edits 1 error <nil>
	// dark
}
