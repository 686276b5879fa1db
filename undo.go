package session

import (
	"net/http"
	"slices"
	"sync"
)

// An undo restores the header of a response that is thrown away. The header becomes what it was before the handler: the
// fields that other middleware has set further out stay, and those that the handler has set go.
//
// It comes from a pool, so that a request which leaves its session alone allocates nothing for it. A response whose
// header is empty before the handler needs none. Only the middleware uses it: a handler can outlive its request, and by
// then another request may have the undo.
type undo struct {
	fields []field
	values []string // of all fields

	// Of one that comes after a refusal, and never from the pool.
	why  error       // why the response was thrown away
	sink http.Header // takes the fields that the handler sets after that
}

// A field is the name of a field of a header, and the number of its values.
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

// restore makes the header what it was, and keeps caches from storing the answer that comes instead.
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
