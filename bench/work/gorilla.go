package work

import (
	"net/http"
	"os"

	"github.com/gorilla/sessions"
)

const cookieName = "session"

func openGorillaCookie() (server, error) {
	return newGorilla(sessions.NewCookieStore(signingKey), func() {}), nil
}

func openGorillaFiles() (server, error) {
	dir, err := os.MkdirTemp("", "bench-gorilla-")
	if err != nil {
		return nil, err
	}
	store := sessions.NewFilesystemStore(dir, signingKey)
	store.MaxLength(0) // or a thousand values are refused
	return newGorilla(store, func() { os.RemoveAll(dir) }), nil
}

func newGorilla(store sessions.Store, done func()) server {
	open := func(w http.ResponseWriter, r *http.Request) bagVisit[gorillaBag] {
		return bagVisit[gorillaBag]{gorillaBag{store, w, r}}
	}
	return httpServer{handler: func(p *plan) http.Handler { return serve(p, open) }, done: done}
}

type gorillaBag struct {
	store sessions.Store
	w     http.ResponseWriter
	r     *http.Request
}

func (b gorillaBag) session() (*sessions.Session, error) { return b.store.Get(b.r, cookieName) }

func (b gorillaBag) get(name string) (any, error) {
	s, err := b.session()
	if err != nil {
		return nil, err
	}
	return s.Values[name], nil
}

func (b gorillaBag) put(name string, value any) error {
	s, err := b.session()
	if err == nil {
		s.Values[name] = value
	}
	return err
}

// renew removes the file and lets the next save make another: the library has no call for it.
func (b gorillaBag) renew() error {
	s, err := b.session()
	if err != nil {
		return err
	}
	age := s.Options.MaxAge
	s.Options.MaxAge = -1
	if err := s.Save(b.r, b.w); err != nil {
		return err
	}
	s.ID, s.Options.MaxAge = "", age
	return nil
}

func (b gorillaBag) save() error {
	s, err := b.session()
	if err != nil {
		return err
	}
	return s.Save(b.r, b.w)
}
