package slot

// Figures are how many holders of a table there were, for operators. Opened grows and Released follows it; what stays
// between them while nothing is going on is a leak.
type Figures struct {
	Opened   uint64 // in total
	Released uint64 // in total, all their hooks run
}

// Open is how many holders are open now, or closed and still pinned.
func (f Figures) Open() uint64 { return f.Opened - f.Released }

// Figures returns the figures of now. A nil table has none.
func (t *Table) Figures() Figures {
	if t == nil {
		return Figures{}
	}
	released := t.released.Load() // first, so that there are never more released than opened
	return Figures{Opened: t.opened.Load(), Released: released}
}

func (t *Table) countOpened() {
	if t != nil {
		t.opened.Add(1)
	}
}

func (t *Table) countReleased() {
	if t != nil {
		t.released.Add(1)
		t.tellWaiting()
	}
}
