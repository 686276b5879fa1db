package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/service"
	"github.com/lazysession/session/store/mem"
)

// Accounts is the application's own repository. On a database in production, in memory in tests.
type Accounts interface {
	Lock(ctx context.Context, user string) error
}

type accountsInMemory struct{ locked map[string]bool }

func (a *accountsInMemory) Lock(_ context.Context, user string) error {
	a.locked[user] = true
	return nil
}

func lockAccount(w http.ResponseWriter, r *http.Request) {
	ctx, user := r.Context(), r.PathValue("user")
	accounts, err := service.Query[Accounts](ctx)
	sessions, err2 := service.Query[*session.Manager](ctx) // a Manager provides itself
	if err := errors.Join(err, err2); err != nil {
		session.Error(w, r, err)
		return
	}
	err = accounts.Lock(ctx, user)
	n, err2 := sessions.EndOwner(ctx, user)
	if err := errors.Join(err, err2); err != nil {
		session.Error(w, r, err)
		return
	}
	fmt.Fprintf(w, "%s is locked and has lost %d sessions.\n", user, n)
}

// Give handlers what they need without global variables: the session service and your own.
func Example_services() {
	reg := service.NewRegistry(nil)
	if err := service.Provide[Accounts](reg, &accountsInMemory{make(map[string]bool)}); err != nil {
		log.Fatal(err)
	}
	m, err := session.New(mem.New(nil), &session.Config{Services: reg})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /accounts/{user}/lock", lockAccount)

	newBrowser(m.Handler(mux)).visit("POST /accounts/mallory/lock")
	// Output: mallory is locked and has lost 0 sessions.
}
