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
	open := func(w http.ResponseWriter, r *http.Request) gorillaVisit { return gorillaVisit{store, w, r} }
	return httpServer{handler: func(p *plan) http.Handler { return serve(p, open) }, done: done}
}

type gorillaVisit struct {
	store sessions.Store
	w     http.ResponseWriter
	r     *http.Request
}

func (v gorillaVisit) session() (*sessions.Session, error) { return v.store.Get(v.r, cookieName) }

func (v gorillaVisit) get(i int) (string, error) { return v.text(names[i]) }
func (v gorillaVisit) user() (string, error)     { return v.text("user") }

func (v gorillaVisit) text(name string) (string, error) {
	s, err := v.session()
	if err != nil {
		return "", err
	}
	text, _ := s.Values[name].(string)
	return text, nil
}

func (v gorillaVisit) set(i int, text string) error {
	s, err := v.session()
	if err == nil {
		s.Values[names[i]] = text
	}
	return err
}

func (v gorillaVisit) hit() error {
	s, err := v.session()
	if err == nil {
		n, _ := s.Values["hits"].(int64)
		s.Values["hits"] = n + 1
	}
	return err
}

func (v gorillaVisit) hits() (int64, error) {
	s, err := v.session()
	if err != nil {
		return 0, err
	}
	n, _ := s.Values["hits"].(int64)
	return n, nil
}

// login removes the file and lets the next save make another: the library has no call for it.
func (v gorillaVisit) login(user string) error {
	s, err := v.session()
	if err != nil {
		return err
	}
	age := s.Options.MaxAge
	s.Options.MaxAge = -1
	if err := s.Save(v.r, v.w); err != nil {
		return err
	}
	s.ID, s.Options.MaxAge, s.Values["user"] = "", age, user
	return nil
}

func (v gorillaVisit) save() error {
	s, err := v.session()
	if err != nil {
		return err
	}
	return s.Save(v.r, v.w)
}
