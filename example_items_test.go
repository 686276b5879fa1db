package session_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

var postHits = session.NewCounter("post hits")

func showPost(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	n, err := postHits.Sub(id).Add(r.Context(), 1)
	var bad *session.ValueError
	switch {
	case errors.As(err, &bad): // the id is too long for a name, say
		http.NotFound(w, r)
	case err != nil:
		session.Error(w, r, err)
	default:
		fmt.Fprintf(w, "You have read post %s %d times.\n", id, n)
	}
}

// Keep one counter for each of many things.
func ExampleCounter_Sub() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /posts/{id}", showPost)

	ann := newBrowser(m.Handler(mux))
	ann.visit("GET /posts/42", "GET /posts/7", "GET /posts/42", "GET /posts/"+strings.Repeat("9", 300))
	// Output:
	// You have read post 42 1 times.
	// You have read post 7 1 times.
	// You have read post 42 2 times.
	// 404 page not found
}
