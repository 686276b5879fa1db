package pglog_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/pglog"
	"github.com/lazysession/session/store/mem"
)

// What a handler writes is there where its message is handled, and never where it is refused, fails or panics.
func TestHandlersTransaction(t *testing.T) {
	pool := pgtest.Pool(t)
	if _, err := pool.Exec(t.Context(), "CREATE TABLE notes (text text)"); err != nil {
		t.Fatal(err)
	}
	m, err := session.New(mem.New(nil), &session.Config{
		Cookie: session.Cookie{Name: "session", Secure: session.InsecureForDevelopment},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	hub, err := live.New(m, open(t, pool, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	early := make(chan error, 1)
	mux := http.NewServeMux()
	name := session.NewKey[string]("name")
	mux.HandleFunc("/login", func(_ http.ResponseWriter, r *http.Request) { name.Set(r.Context(), "x") })
	mux.Handle("/live", hub.Handler(live.Endpoint{
		Message: live.On(func(ctx context.Context, _ *live.Socket, text string) error {
			tx, err := pglog.Tx(ctx)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "INSERT INTO notes VALUES ($1)", text); err != nil {
				return err
			}
			switch text {
			case "refused":
				return live.Refuse("no", "")
			case "failed":
				return errors.New("a failure")
			case "panicked":
				panic("a panic")
			case "early":
				early <- errors.Join(tx.Commit(ctx), tx.Rollback(ctx))
			}
			return nil
		}),
	}))
	server := httptest.NewServer(m.Handler(mux))
	defer server.Close()
	r, err := http.Get(server.URL + "/login")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	cookie := r.Cookies()[0]
	conn, err := live.Dial(t.Context(), server.URL+"/live", &live.DialOptions{
		HTTPHeader: http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for text, handled := range map[string]bool{
		"handled": true, "refused": false, "failed": false, "panicked": false, "early": true,
	} {
		if err := conn.Send(t.Context(), []byte(`"`+text+`"`)); (err == nil) != handled {
			t.Errorf("%s: got error %v", text, err)
		}
		var rows int
		const sql = "SELECT count(*) FROM notes WHERE text = $1"
		if err := pool.QueryRow(t.Context(), sql, text).Scan(&rows); err != nil || (rows == 1) != handled || rows > 1 {
			t.Errorf("%s: got %d rows, error %v", text, rows, err)
		}
	}
	if err := <-early; err == nil {
		t.Error("a handler ends the transaction before its message, without an error")
	}
	if _, err := pglog.Tx(t.Context()); !errors.Is(err, pglog.ErrNoTx) {
		t.Errorf("outside of a handler: got error %v, want %v", err, pglog.ErrNoTx)
	}
}
