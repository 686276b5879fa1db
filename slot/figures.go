package slot

// Figures are how many holders of a table were opened and released, for operators. A difference that stays while the
// program does nothing is a leak.
type Figures struct {
	Opened   uint64 // in total
	Released uint64 // in total; all their hooks have run
}

// Open is how many holders are open now, or closed and still pinned.
func (f Figures) Open() uint64 { return f.Opened - f.Released }

// Figures returns the present figures. Those of a nil table are zero.
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
