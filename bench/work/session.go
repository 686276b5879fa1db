package work

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

var (
	sessionKeys = makeSessionKeys()
	sessionHits = session.NewCounter("hits")
)

func makeSessionKeys() (keys [maxValues]session.Key[string]) {
	for i, name := range names {
		keys[i] = session.NewKey[string](name)
	}
	return keys
}

// signingKey is the key of every contender that signs.
var signingKey = bytes.Repeat([]byte("k"), 32)

func openSession() (server, error) {
	store := mem.New(nil)
	m, err := session.New(store, &session.Config{
		Keys: [][]byte{signingKey}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	return httpServer{
		handler: func(p *plan) http.Handler { return m.Handler(serve(p, openSessionVisit)) },
		done:    func() { m.Close() },
	}, nil
}

type sessionVisit struct{ ctx context.Context }

func openSessionVisit(_ http.ResponseWriter, r *http.Request) sessionVisit {
	return sessionVisit{r.Context()}
}

func (v sessionVisit) get(i int) (string, error)    { return sessionKeys[i].Get(v.ctx) }
func (v sessionVisit) set(i int, text string) error { return sessionKeys[i].Set(v.ctx, text) }
func (v sessionVisit) hits() (int64, error)         { return sessionHits.Get(v.ctx) }
func (v sessionVisit) user() (string, error)        { return session.FromContext(v.ctx).Owner() }
func (v sessionVisit) save() error                  { return nil }

func (v sessionVisit) hit() error {
	_, err := sessionHits.Add(v.ctx, 1)
	return err
}

func (v sessionVisit) login(user string) error {
	s := session.FromContext(v.ctx)
	if err := s.Renew(); err != nil {
		return err
	}
	return s.SetOwner(user)
}
