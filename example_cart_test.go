package session_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

type shoppingCart struct {
	Books []string `json:"books"`
}

var (
	bookCart    = session.NewKey[shoppingCart]("cart")
	errCartFull = errors.New("no more than two books, please")
)

func addBook(w http.ResponseWriter, r *http.Request) {
	now, err := bookCart.Update(r.Context(), func(c shoppingCart) (shoppingCart, error) {
		if len(c.Books) == 2 {
			return c, errCartFull // nothing is changed
		}
		c.Books = append(c.Books, r.FormValue("book"))
		return c, nil
	})
	switch {
	case errors.Is(err, errCartFull):
		http.Error(w, errCartFull.Error(), http.StatusConflict)
	case err != nil:
		session.Error(w, r, err)
	default:
		fmt.Fprintln(w, now.Books)
	}
}

// Change a value that depends on what it was, so that two clicks at once, on two servers, are both in it.
func ExampleKey_Update() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	ann := newBrowser(m.Handler(http.HandlerFunc(addBook)))
	ann.visit("POST /cart?book=Emma", "POST /cart?book=Dune", "POST /cart?book=It")
	// Output:
	// [Emma]
	// [Emma Dune]
	// no more than two books, please
}
