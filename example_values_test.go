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

// Change a value that depends on what it was. Two clicks at the same time, on two servers, both count.
func ExampleKey_Update() {
	// In a program, keys are variables of a package.
	cart := session.NewKey[[]string]("cart")
	errCartFull := errors.New("no more than two books, please")

	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cart", func(w http.ResponseWriter, r *http.Request) {
		now, err := cart.Update(r.Context(), func(books []string) ([]string, error) {
			if len(books) == 2 {
				return books, errCartFull // nothing is changed
			}
			return append(books, r.FormValue("book")), nil
		})
		switch {
		case errors.Is(err, errCartFull):
			http.Error(w, errCartFull.Error(), http.StatusConflict)
		case err != nil:
			session.Error(w, r, err)
		default:
			fmt.Fprintln(w, now)
		}
	})

	ann := newBrowser(m.Handler(mux))
	ann.visit("POST /cart?book=Emma", "POST /cart?book=Dune", "POST /cart?book=It")
	// Output:
	// [Emma]
	// [Emma Dune]
	// no more than two books, please
}

// Keep one counter for each of many things.
func ExampleCounter_Sub() {
	hits := session.NewCounter("post hits")

	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /posts/{id}", func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		n, err := hits.Sub(id).Add(r.Context(), 1)
		var bad *session.ValueError
		switch {
		case errors.As(err, &bad): // for example, the id is too long for a name
			http.NotFound(w, r)
		case err != nil:
			session.Error(w, r, err)
		default:
			fmt.Fprintf(w, "You have read post %s %d times.\n", id, n)
		}
	})

	ann := newBrowser(m.Handler(mux))
	ann.visit("GET /posts/42", "GET /posts/7", "GET /posts/42", "GET /posts/"+strings.Repeat("9", 300))
	// Output:
	// You have read post 42 1 times.
	// You have read post 7 1 times.
	// You have read post 42 2 times.
	// 404 page not found
}

// Change the session before the response begins, not after.
func ExampleKey_Set_incorrect() {
	language := session.NewKey[string]("language")

	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /late", func(w http.ResponseWriter, r *http.Request) {
		// Incorrect: the first byte sends the header, and then a new visitor's cookie can't be sent any more.
		fmt.Fprintln(w, "Welcome.")
		err := language.Set(r.Context(), "en")
		fmt.Fprintln(w, "Too late:", errors.Is(err, session.ErrTooLate))
	})
	mux.HandleFunc("GET /early", func(w http.ResponseWriter, r *http.Request) {
		// Correct: change the session first, then write.
		if err := language.Set(r.Context(), "en"); err != nil {
			session.Error(w, r, err)
			return
		}
		fmt.Fprintln(w, "Welcome.")
	})

	newBrowser(m.Handler(mux)).visit("GET /late")
	newBrowser(m.Handler(mux)).visit("GET /early")
	// Output:
	// Welcome.
	// Too late: true
	// Welcome.
}
