package work

import "net/http"

// A server is one contender's program with its own store.
type server interface {
	client(p *plan) client
	close()
}

// An httpServer is one of net/http.
type httpServer struct {
	handler func(*plan) http.Handler
	done    func()
}

func (s httpServer) client(p *plan) client { return newHTTPClient(s.handler(p)) }

func (s httpServer) close() {
	if s.done != nil {
		s.done()
	}
}

// serve returns the handler that does p with the visits that open returns.
func serve[V visit](p *plan, open func(http.ResponseWriter, *http.Request) V) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := perform(p, open(w, r))
		respond(w, text, err)
	})
}

var done = []byte("done")

func respond(w http.ResponseWriter, text string, err error) {
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case text != "":
		w.Write([]byte(text))
	default:
		w.Write(done)
	}
}
