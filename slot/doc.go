// Package slot gives each layer of a program a place of its own in every connection, typed and private, without maps
// keyed by sockets and without the layers knowing of each other.
//
//	var table slot.Table
//
//	func main() {
//		visits, err := slot.New(&table, "example.com/app.visits", slot.Hooks[atomic.Int64]{
//			OnOpen:    func(context.Context, *atomic.Int64) *atomic.Int64 { return new(atomic.Int64) },
//			OnRelease: func(_ context.Context, n *atomic.Int64) { log.Print("visits: ", n.Load()) },
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//		d := new(slot.Data) // a connection has one, see package conn
//		err = d.Open(context.Background(), &table)
//		n, err := visits.Get(d)
//		n.Add(1)
//		d.Release()
//	}
//
// # Tables, slots, holders
//
// While a program is set up, its layers ask a [Table] for slots by unique names. A [Slot] is an index with a type: all
// that a layer has to remember, and nobody else can reach what is in it unless the layer hands the slot on. What has
// slots is a [Holder]. Package conn makes connections holders; for anything else that is opened, used and released, a
// field of type [Data] does it.
//
// The first holder that opens freezes the table, since each has the same slots from its beginning to its end. A slot
// asked for later is refused, as is a name that was asked for before: two packages never share a slot by accident.
//
// # Open and release
//
// [Hooks] fill and empty a slot. Layers are a stack: they open in the order in which they asked for their slots and are
// released in the opposite order. Whoever opens a holder can hand data to one layer with [Slot.WithValue]. A layer that
// releases the holder in its OnOpen refuses it, and those after it are not asked. What is known only later, one sets
// with [Slot.GetOrSet].
//
// A holder that closes while it is used is released after that use: [Data.Pin] is how users say so. [Table.Wait] waits
// for the last release, at the end of a program.
//
// # Promises
//
//   - Getting, setting and taking are O(1), take no lock, and may be done by several goroutines at once. Getting and
//     taking allocate nothing; nor does setting in tables of up to eight slots.
//   - OnRelease runs exactly once for every holder that the layer opened, after the last Unpin, whatever races with it.
//   - A value that was set is given to OnRelease, unless somebody took or replaced it before; one that was refused is not.
//   - A hook that panics is logged and stops no other.
//   - Mistakes are errors that name the slot, and for a name taken twice the place of the first.
//   - [Table.Figures] shows leaks. The package starts no goroutine.
package slot
