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

// The code that opens a holder hands data to one layer, and to no other.
func ExampleSlot_WithValue() {
	var table slot.Table
	quotas, _ := slot.New(&table, "example.com/jobs.quota", slot.Hooks[quota]{
		OnOpen: func(_ context.Context, handed *quota) *quota {
			if handed != nil {
				return &quota{left: handed.left} // a copy, since the same value may be handed to many holders
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

// A value that is known only after the opening is set once. All callers get the value of the first.
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

// Work that goes on after the holder closes pins it.
func ExampleData_Pin() {
	var table slot.Table
	quotas, _ := slot.New(&table, "example.com/jobs.quota", slot.Hooks[quota]{
		OnRelease: func(context.Context, *quota) { fmt.Println("released") },
	})
	j := new(job)
	_ = j.Open(context.Background(), &table)
	_ = quotas.Set(j, &quota{left: 1})

	if j.Pin() {
		j.Release() // by another goroutine, say
		q, _ := quotas.Get(j)
		fmt.Println(q.left, "left")
		j.Unpin()
	}
	// Output:
	// 1 left
	// released
}

// This is a mistake: the program asks for a slot when it needs it, instead of while it is set up.
func ExampleNew_incorrect() {
	var table slot.Table
	first := new(job)
	_ = first.Open(context.Background(), &table)
	defer first.Release()

	_, err := slot.New(&table, "example.com/jobs.late", slot.Hooks[quota]{})
	fmt.Println(errors.Is(err, slot.ErrFrozen), err)
	// Output: true slot: table frozen: ask for slots before the first holder opens: "example.com/jobs.late"
}
