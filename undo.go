package session

import (
	"net/http"
	"slices"
	"sync"
)

// An undo is what it takes to throw a response away: the header as it was before the handler, to which it then returns.
// What other middleware has set further out stays; what the handler has set goes. It comes from a pool, so that a
// request which leaves its session alone allocates nothing for it, and a response whose header is still empty needs
// none. Only the middleware touches it: a handler can outlive its request, and the next one may have the undo then.
type undo struct {
	fields []field
	values []string // of all fields

	// Of one that comes after a refusal, and never from the pool.
	why  error       // why the response was thrown away
	sink http.Header // where headers go that the handler sets after that
}

// A field is one field of a header, and how many of the values are its.
type field struct {
	name  string
	count int
}

var undos = sync.Pool{New: func() any { return new(undo) }}

// undoOf returns the undo of a response, nil where its header is empty.
func undoOf(h http.Header) *undo {
	if len(h) == 0 {
		return nil
	}
	u := undos.Get().(*undo)
	for name, values := range h {
		u.fields = append(u.fields, field{name, len(values)})
		u.values = append(u.values, values...)
	}
	return u
}

// free gives the undo back.
func (u *undo) free() {
	if u == nil {
		return
	}
	clear(u.fields)
	clear(u.values)
	u.fields, u.values = u.fields[:0], u.values[:0]
	undos.Put(u)
}

// restore returns the header to what it was, and keeps caches from what comes instead.
func (u *undo) restore(h http.Header) {
	clear(h)
	if u != nil {
		rest := u.values
		for _, f := range u.fields {
			h[f.name] = slices.Clone(rest[:f.count])
			rest = rest[f.count:]
		}
	}
	forbidCaching(h)
}
