package loopback

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/alexedwards/scs/v2"

	"github.com/lazysession/session"
	"github.com/lazysession/session/bench/sample"
	"github.com/lazysession/session/store/mem"
)

// A contender makes the handler of a site that knows its visitors in its own way. "/start" gives a visitor a session;
// the other paths are those of the works.
type contender struct {
	name string
	site func() (http.Handler, error)
}

// Bare is the contender without sessions: all visitors are the same.
const Bare = "bare handler"

var contenders = []contender{
	{Bare, bareSite}, {"context.WithValue", valueSite}, {sample.Ours, ourSite}, {"scs", peerSite},
}

// A page returns the number that a request is answered with.
type page func(r *http.Request) (int, error)

func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, err := p(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8") // as a page does
	io.WriteString(w, strconv.Itoa(n))
}

func untouched(*http.Request) (int, error) { return stored, nil }

func site(start, read, count page) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/start", start)
	mux.Handle("/untouched", page(untouched))
	mux.Handle("/read", read)
	mux.Handle("/count", count)
	return mux
}

// bareSite says of the pages of one visitor that they are, as all contenders do: the same bytes go out.
func bareSite() (http.Handler, error) {
	var hits atomic.Int64
	start := func(*http.Request) (int, error) {
		hits.Store(0)
		return stored, nil
	}
	mux := site(start, untouched, func(*http.Request) (int, error) { return int(hits.Add(1)), nil })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/untouched" {
			w.Header().Set("Vary", "Cookie")
		}
		mux.ServeHTTP(w, r)
	}), nil
}

// valueSite is the bare one behind a middleware that does nothing but give the request a context with a value.
func valueSite() (http.Handler, error) {
	type key struct{}
	bare, err := bareSite()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bare.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, stored)))
	}), err
}

func ourSite() (http.Handler, error) {
	value, hits := session.NewKey[int]("value"), session.NewCounter("hits")
	m, err := session.New(mem.New(nil), &session.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return m.Handler(site(
		func(r *http.Request) (int, error) { return stored, value.Set(r.Context(), stored) },
		func(r *http.Request) (int, error) { return value.Get(r.Context()) },
		func(r *http.Request) (int, error) {
			n, err := hits.Add(r.Context(), 1)
			return int(n), err
		},
	)), nil
}

// peerSite is scs as it comes, with its store in memory.
func peerSite() (http.Handler, error) {
	m := scs.New()
	return m.LoadAndSave(site(
		func(r *http.Request) (int, error) {
			m.Put(r.Context(), "value", stored)
			return stored, nil
		},
		func(r *http.Request) (int, error) { return m.GetInt(r.Context(), "value"), nil },
		func(r *http.Request) (int, error) {
			n := m.GetInt(r.Context(), "hits") + 1
			m.Put(r.Context(), "hits", n)
			return n, nil
		},
	)), nil
}
