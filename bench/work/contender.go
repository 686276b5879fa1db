package work

import "github.com/lazysession/session/bench/measure"

// A contender is a library set up as its users set it up, or a floor.
type contender struct {
	name   string
	open   func() (server, error)
	note   string            // on all its figures
	cannot func(work) string // why it can't do a work; "" where it can. nil: it can do all

	stateless bool // cookies of the same values are the same
}

func (c *contender) whyNot(w work) string {
	if c.cannot == nil {
		return ""
	}
	return c.cannot(w)
}

// insteadOf returns w, or for a contender that can't do it a work of the same name that leaves sessions alone.
func (c *contender) insteadOf(w work) work {
	if c.whyNot(w) != "" {
		w.task, w.values = touchNothing, 0
	}
	return w
}

var (
	ours    = &contender{name: measure.Ours, open: openSession}
	scsGob  = &contender{name: "scs", open: openSCS}
	scsJSON = &contender{name: "scs (JSON)", open: openSCSWithJSON}
	cookies = &contender{
		name: "gorilla cookie", open: openGorillaCookie, note: "the state is in the cookie", cannot: cookieCannot,
		stateless: true,
	}
	files      = &contender{name: "gorilla files", open: openGorillaFiles}
	ginMemory  = &contender{name: "gin", open: openGin, note: "includes gin's router", cannot: ginCannot}
	fiberStore = &contender{
		name: "fiber", open: openFiber,
		note: "saves every session in every request; includes fiber's router; called through fasthttp, not net/http",
	}
	bare   = &contender{name: "bare handler", open: openBare, cannot: floorCannot}
	valued = &contender{name: "context.WithValue", open: openWithValue, cannot: floorCannot}
)

var (
	peers      = []*contender{ours, scsGob, scsJSON, cookies, files, ginMemory, fiberStore}
	withFloors = append(peers[:len(peers):len(peers)], bare, valued)
)

// fitsCookie is how many of our values fit into the 4,096 bytes that securecookie allows.
const fitsCookie = 20

func cookieCannot(w work) string {
	switch {
	case w.task == logIn:
		return "an old cookie stays valid: nothing on the server can end it"
	case w.values > fitsCookie:
		return "doesn't fit in a cookie"
	}
	return ""
}

func ginCannot(w work) string {
	if w.task == logIn {
		return "has no call that renews a token"
	}
	return ""
}

func floorCannot(w work) string {
	if w.task != touchNothing {
		return "has no session"
	}
	return ""
}
