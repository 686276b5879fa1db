package streamtest

import (
	"slices"

	"github.com/lazysession/session/live/stream"
)

var listRules = []rule{
	{"list", "Sockets yields those that match all of the filter, each one once.", listing},
	{"list-all", "Sockets yields all sockets for the zero filter.", listAll},
	{"list-break", "A loop over Sockets may end early, and may use the log.", listBreak},
}

func listing(p *probe) {
	a, b, name := p.socket(), p.socket(), newName()
	c := p.claim()
	c.Session, c.Owner = a.Session, a.Owner
	sibling := p.take(c)
	p.commit(batch(a, join(name, "")))
	p.commit(batch(b, join(name, "")))
	for what, l := range map[string]struct {
		f    stream.Filter
		want []*stream.Socket
	}{
		"of an ID":                     {stream.Filter{ID: a.ID}, []*stream.Socket{a}},
		"of a session":                 {stream.Filter{Session: a.Session}, []*stream.Socket{a, sibling}},
		"of an owner":                  {stream.Filter{Owner: a.Owner}, []*stream.Socket{a, sibling}},
		"of a channel":                 {stream.Filter{Channel: name}, []*stream.Socket{a, b}},
		"of an owner and a channel":    {stream.Filter{Owner: a.Owner, Channel: name}, []*stream.Socket{a}},
		"of a session, another's ID":   {stream.Filter{Session: a.Session, ID: b.ID}, nil},
		"of a session and a channel":   {stream.Filter{Session: b.Session, Channel: name}, []*stream.Socket{b}},
		"of an owner, another's":       {stream.Filter{Owner: a.Owner, Session: b.Session}, nil},
		"of a channel without members": {stream.Filter{Channel: newName()}, nil},
		"of an unknown owner":          {stream.Filter{Owner: newName()}, nil},
		"of an unknown ID":             {stream.Filter{ID: stream.NewID()}, nil},
	} {
		p.wantListed(what, p.list(l.f), l.want)
	}
}

func (p *probe) wantListed(what string, got, want []*stream.Socket) {
	p.Helper()
	if a, b := ids(got), ids(want); !slices.Equal(a, b) {
		p.Errorf("sockets %s: got %v, want %v", what, a, b)
	}
}

// ids returns the sockets' IDs in order.
func ids(ss []*stream.Socket) (all []string) {
	for _, s := range ss {
		all = append(all, s.ID.String())
	}
	slices.Sort(all)
	return all
}

func listAll(p *probe) {
	mine := p.members(20)
	all := ids(p.list(stream.Filter{}))
	for _, id := range ids(mine) {
		if at, found := slices.BinarySearch(all, id); !found || at+1 < len(all) && all[at+1] == id {
			p.Errorf("socket %s is not listed once", id)
		}
	}
}

func listBreak(p *probe) {
	ss := p.members(3)
	for range 20 {
		for s, err := range p.log.Sockets(p.ctx, stream.Filter{ID: ss[0].ID}) {
			if err != nil {
				p.Fatalf("Sockets: %v", err)
			}
			p.commit(batch(s, send(stream.Own(s.ID), "within the loop")))
			break
		}
	}
	p.wantListed("after loops that ended early", p.list(stream.Filter{ID: ss[0].ID}), ss[:1])
}
