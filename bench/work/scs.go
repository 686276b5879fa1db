package work

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

func openSCS() (server, error) { return newSCS(scs.GobCodec{}), nil }

func openSCSWithJSON() (server, error) { return newSCS(jsonCodec{}), nil }

func newSCS(codec scs.Codec) server {
	m := scs.New()
	m.Store = memstore.NewWithCleanupInterval(0) // its cleaner can't be stopped without a data race
	m.Codec = codec
	open := func(_ http.ResponseWriter, r *http.Request) scsVisit { return scsVisit{m, r.Context()} }
	return httpServer{
		handler: func(p *plan) http.Handler { return m.LoadAndSave(serve(p, open)) },
	}
}

type scsVisit struct {
	m   *scs.SessionManager
	ctx context.Context
}

func (v scsVisit) get(i int) (string, error) { return v.m.GetString(v.ctx, names[i]), nil }
func (v scsVisit) user() (string, error)     { return v.m.GetString(v.ctx, "user"), nil }
func (v scsVisit) save() error               { return nil }

func (v scsVisit) set(i int, text string) error {
	v.m.Put(v.ctx, names[i], text)
	return nil
}

func (v scsVisit) hit() error {
	n, _ := v.hits()
	v.m.Put(v.ctx, "hits", n+1)
	return nil
}

// hits knows that JSON has one kind of number.
func (v scsVisit) hits() (int64, error) {
	switch n := v.m.Get(v.ctx, "hits").(type) {
	case int64:
		return n, nil
	case float64:
		return int64(n), nil
	}
	return 0, nil
}

func (v scsVisit) login(user string) error {
	if err := v.m.RenewToken(v.ctx); err != nil {
		return err
	}
	v.m.Put(v.ctx, "user", user)
	return nil
}

// A jsonCodec stores what scs's own codec does, as JSON.
type jsonCodec struct{}

type jsonSession struct {
	Deadline time.Time
	Values   map[string]any
}

// Encode implements scs.Codec.
func (jsonCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(jsonSession{deadline, values})
}

// Decode implements scs.Codec.
func (jsonCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	var s jsonSession
	err := json.Unmarshal(b, &s)
	return s.Deadline, s.Values, err
}
