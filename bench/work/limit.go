package work

import "net/http"

// limits tell what more cores can do for anybody: they do something else than a session's work, for about as long.
var limits = []*contender{
	{name: "arithmetic", open: openArithmetic, cannot: floorCannot, note: "nothing but the processor"},
	{name: "allocation", open: openAllocation, cannot: floorCannot, note: "nothing but two objects of 800 bytes together"},
}

func openArithmetic() (server, error) {
	return httpServer{handler: func(*plan) http.Handler { return new(arithmetic) }}, nil
}

type arithmetic struct{ result int }

func (a *arithmetic) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for i := range 1000 {
		a.result = 31*a.result + i
	}
	respond(w, "", nil)
}

func openAllocation() (server, error) {
	return httpServer{handler: func(*plan) http.Handler { return new(allocation) }}, nil
}

// An allocation is what a request that reads a session allocates, kept until the next one.
type allocation struct {
	exchange *[416 / 8]*byte
	details  *[384 / 8]*byte
}

func (a *allocation) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	a.exchange, a.details = new([416 / 8]*byte), new([384 / 8]*byte)
	respond(w, "", nil)
}
