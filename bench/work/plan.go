package work

import (
	"fmt"
	"sync/atomic"
)

const maxValues = 1000

// names and texts are the names of values and what a first visit sets them to.
var names, texts = makeValues()

func makeValues() (names, texts [maxValues]string) {
	for i := range maxValues {
		names[i] = fmt.Sprintf("value-%03d", i)
		texts[i] = fmt.Sprintf("the text of value %03d", i)
	}
	return names, texts
}

// A plan is what the handlers of a client do.
type plan struct {
	task   task
	values int // that a session has
	turn   atomic.Uint64
}

func (p *plan) middle() int { return p.values / 2 }

// changes are what is written in turn, so that each write changes something.
var changes = [...]string{"the first text written", "the other text written"}

func (p *plan) next() string { return changes[p.turn.Add(1)%uint64(len(changes))] }

// last returns what next did.
func (p *plan) last() string { return changes[p.turn.Load()%uint64(len(changes))] }
