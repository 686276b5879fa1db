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
	open := func(_ http.ResponseWriter, r *http.Request) bagVisit[scsBag] {
		return bagVisit[scsBag]{scsBag{m, r.Context()}}
	}
	return httpServer{
		handler: func(p *plan) http.Handler { return m.LoadAndSave(serve(p, open)) },
	}
}

type scsBag struct {
	m   *scs.SessionManager
	ctx context.Context
}

func (b scsBag) get(name string) (any, error) { return b.m.Get(b.ctx, name), nil }
func (b scsBag) renew() error                 { return b.m.RenewToken(b.ctx) }
func (b scsBag) save() error                  { return nil }

func (b scsBag) put(name string, value any) error {
	b.m.Put(b.ctx, name, value)
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
