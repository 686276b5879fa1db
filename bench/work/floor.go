package work

import (
	"context"
	"net/http"
)

// openBare is the floor of all: a handler without any middleware.
func openBare() (server, error) {
	return httpServer{handler: func(*plan) http.Handler { return next }}, nil
}

// openWithValue is the least that a middleware can do which gives its handlers anything.
func openWithValue() (server, error) {
	return httpServer{handler: func(*plan) http.Handler { return withValue{next} }}, nil
}

// next is a variable of interface type, so that the compiler can't see through it: a floor that it folds away is none.
var next http.Handler = http.HandlerFunc(respondDone)

//go:noinline
func respondDone(w http.ResponseWriter, _ *http.Request) { respond(w, "", nil) }

type withValue struct{ next http.Handler }

type floorKey struct{}

var floorValue any = new(int)

func (h withValue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), floorKey{}, floorValue)))
}
