package session

import (
	"net/http"
	"sync"
)

// An undo is what it takes to throw a response away: the header as it was before the handler, to which it then returns.
// What other middleware has set further out stays; what the handler has set goes. It comes from a pool, so that a
// request which leaves its session alone allocates nothing for it, and a response whose header is still empty needs
// none.
type undo struct {
	fields []field
	inner  []*exchange // of Managers further in: what they tell the client holds, whatever becomes of this response
	why    error       // set when the response is thrown away
	sink   http.Header // where headers go that the handler sets after that
}

// A field is one field of a header. Set and Add leave its slice of values as it is.
type field struct {
	name   string
	values []string
}

var undos = sync.Pool{New: func() any { return new(undo) }}

// undoOf returns the undo of a response, nil where its header is empty.
func undoOf(h http.Header) *undo {
	if len(h) == 0 {
		return nil
	}
	u := undos.Get().(*undo)
	for name, values := range h {
		u.fields = append(u.fields, field{name, values})
	}
	return u
}

// free gives the undo back.
func (u *undo) free() {
	if u == nil {
		return
	}
	clear(u.fields)
	clear(u.inner)
	u.fields, u.inner = u.fields[:0], u.inner[:0]
	undos.Put(u)
}

// restore returns the header to what it was, keeps caches from what comes instead, and says again what Managers further
// in have told the client: without it their visitors would be locked out.
func (u *undo) restore(h http.Header) {
	clear(h)
	for _, f := range u.fields {
		h[f.name] = f.values
	}
	forbidCaching(h)
	for _, x := range u.inner {
		x.informClient(h)
	}
}
