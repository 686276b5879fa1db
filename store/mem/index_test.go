package mem_test

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

func FuzzIndex(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2, 1, 1, 2, 1})
	f.Add([]byte("add and remove, then find"))
	f.Fuzz(func(t *testing.T, steps []byte) {
		m := newModel(t)
		for ; len(steps) >= 2; steps = steps[2:] {
			m.step(steps[0], uint16(steps[1]))
		}
		m.check()
	})
}

// TestIndex grows and empties an index several times.
func TestIndex(t *testing.T) {
	m := newModel(t)
	r := rand.New(rand.NewPCG(1, 2))
	for _, adds := range []int{9, 5, 1, 9, 0} { // of ten steps
		for range 20_000 {
			op := byte(1)
			if r.IntN(10) < adds {
				op = 0
			}
			m.step(op, uint16(r.IntN(5000)))
		}
		m.check()
	}
	if records, slots := m.index.Len(); slots > 64+4*records {
		t.Errorf("%d slots for %d records: the index does not shrink", slots, records)
	}
}

// A model is an index and a map that should hold the same.
type model struct {
	*testing.T
	index *mem.Index
	want  map[store.ID]uint32
	steps uint32
}

func newModel(t *testing.T) *model {
	return &model{T: t, index: mem.NewIndex(), want: map[store.ID]uint32{}}
}

func (m *model) step(op byte, key uint16) {
	m.steps++
	var id store.ID
	binary.BigEndian.PutUint16(id[14:], key)
	if op%2 == 0 {
		m.index.Add(store.Record{ID: id, Version: m.steps})
		m.want[id] = m.steps
		return
	}
	m.index.Remove(id)
	delete(m.want, id)
	if r := m.index.Find(id); r != nil {
		m.Fatalf("step %d: %v is still there after its removal", m.steps, id)
	}
}

func (m *model) check() {
	m.Helper()
	if records, _ := m.index.Len(); records != len(m.want) {
		m.Fatalf("%d records, want %d", records, len(m.want))
	}
	for id, version := range m.want {
		if r := m.index.Find(id); r == nil || r.ID != id || r.Version != version {
			m.Fatalf("Find(%v) = %v, want version %d", id, r, version)
		}
	}
}
