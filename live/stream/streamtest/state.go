package streamtest

import (
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

var stateRules = []rule{
	{"edit", "Edits change the state of a channel as they change values of a session.", editing},
	{"edit-in-order", "Edits of one batch come in its order, also behind its own join.", editInOrder},
	{"edit-not-member", "A socket that is no member edits nothing: ErrNotMember.", editNotMember},
	{"edit-nobody", "Without a lease and without holding the channel nothing is edited: ErrNotMember.", editNobody},
	{"edit-refused", "An edit that can't be made is refused with its own error, and the state stays.", editRefused},
	{"edit-clears", "Cleared removes all values before the edits.", editClears},
}

func editing(p *probe) {
	a, b, name := p.socket(), p.socket(), newName()
	p.commit(batch(a, join(name, ""), edit(name, set("gone", "0"), set("text", `"1.0"`))))
	p.commit(batch(b, join(name, "")))
	p.commit(batch(b, edit(name, add("n", 2), store.Edit{Name: "gone", Op: store.Delete})))
	p.commit(batch(a, edit(name, add("n", 3))))
	c := p.channel(name)
	p.wantState(c, "n", "5")
	p.wantState(c, "text", `"1.0"`)
	p.wantState(c, "gone", "")
}

func editInOrder(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, ""), edit(name, set("n", "1")), edit(name, add("n", 1)), edit(name, add("n", 5))))
	p.wantState(p.channel(name), "n", "7")
}

func editNotMember(p *probe) {
	a, b, name := p.socket(), p.socket(), newName()
	p.wantCommit(batch(b, edit(name, set("n", "1"))), stream.ErrNotMember)
	p.wantNoChannel(name)
	p.commit(batch(a, join(name, "")))
	p.wantCommit(batch(b, edit(name, set("n", "1"))), stream.ErrNotMember)
	p.wantCommit(batch(a, leave(name), edit(name, set("n", "1"))), stream.ErrNotMember)
	p.wantState(p.channel(name), "n", "")
}

func editNobody(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, "")))
	p.wantCommit(batch(nil, edit(name, set("n", "1"))), stream.ErrNotMember)
	p.wantState(p.channel(name), "n", "")
}

func editRefused(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, ""), edit(name, set("text", `"x"`))))
	p.wantCommit(batch(s, edit(name, set("n", "1")), edit(name, add("text", 1))), store.ErrNotInteger)
	c := p.channel(name)
	p.wantState(c, "text", `"x"`)
	p.wantState(c, "n", "")
}

func editClears(p *probe) {
	s, name := p.socket(), newName()
	p.commit(batch(s, join(name, ""), edit(name, set("a", "1"), set("b", "2"))))
	op := edit(name, set("b", "3"))
	op.Change.Cleared = true
	p.commit(batch(s, op))
	c := p.channel(name)
	p.wantState(c, "a", "")
	p.wantState(c, "b", "3")
}
