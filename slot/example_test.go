package slot_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/lazysession/session/slot"
)

type quota struct{ left int }

// A job is a holder of slots, like a connection: it is opened, used and released.
type job struct{ slot.Data }

func Example() {
	var table slot.Table
	quotas, err := slot.New(&table, "example.com/jobs.quota", slot.Hooks[quota]{
		OnOpen:    func(context.Context, *quota) *quota { return &quota{left: 3} },
		OnRelease: func(_ context.Context, q *quota) { fmt.Println("left:", q.left) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	j := new(job)
	if err := j.Open(context.Background(), &table); err != nil {
		fmt.Println(err)
		return
	}
	q, err := quotas.Get(j)
	if err != nil {
		fmt.Println(err)
		return
	}
	q.left--
	j.Release()
	fmt.Println(table.Figures().Open(), "open")
	// Output:
	// left: 2
	// 0 open
}

// Whoever opens a holder hands data to one layer, past all others.
func ExampleSlot_WithValue() {
	var table slot.Table
	quotas, _ := slot.New(&table, "example.com/jobs.quota", slot.Hooks[quota]{
		OnOpen: func(_ context.Context, handed *quota) *quota {
			if handed != nil {
				return &quota{left: handed.left} // its own: what was handed may go to many
			}
			return &quota{left: 3}
		},
	})
	generous := quotas.WithValue(context.Background(), &quota{left: 100})

	j := new(job)
	_ = j.Open(generous, &table)
	defer j.Release()
	q, _ := quotas.Get(j)
	fmt.Println(q.left)
	// Output: 100
}

// What is known only after the opening is set once, whoever comes first.
func ExampleSlot_GetOrSet() {
	var table slot.Table
	names, _ := slot.New(&table, "example.com/jobs.name", slot.Hooks[string]{})
	j := new(job)
	_ = j.Open(context.Background(), &table)
	defer j.Release()

	for _, name := range []string{"alice", "bob"} {
		got, _ := names.GetOrSet(j, &name)
		fmt.Println(*got)
	}
	// Output:
	// alice
	// alice
}

// Who works on after the holder closes pins it.
func ExampleData_Pin() {
	var table slot.Table
	quotas, _ := slot.New(&table, "example.com/jobs.quota", slot.Hooks[quota]{
		OnRelease: func(context.Context, *quota) { fmt.Println("released") },
	})
	j := new(job)
	_ = j.Open(context.Background(), &table)
	_ = quotas.Set(j, &quota{left: 1})

	if j.Pin() {
		j.Release() // by somebody else, say
		q, _ := quotas.Get(j)
		fmt.Println(q.left, "left")
		j.Unpin()
	}
	// Output:
	// 1 left
	// released
}

// The mistake: to ask for a slot when it is needed, instead of while the program is set up.
func ExampleNew_incorrect() {
	var table slot.Table
	first := new(job)
	_ = first.Open(context.Background(), &table)
	defer first.Release()

	_, err := slot.New(&table, "example.com/jobs.late", slot.Hooks[quota]{})
	fmt.Println(errors.Is(err, slot.ErrFrozen), err)
	// Output: true slot: table frozen: slots are asked for before the first holder opens: "example.com/jobs.late"
}
