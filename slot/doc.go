// Package slot gives each layer of a program a place of its own in every connection. The place is typed and private. No
// layer needs a map keyed by sockets, and no layer has to know another.
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
// While a program is set up, its layers ask a [Table] for slots by unique names. A [Slot] is an index with a type. It
// is all that a layer has to remember, and only code that has the Slot can reach its values. A [Holder] has slots.
// Package conn makes connections holders. Anything else that is opened, used and released becomes a holder by a field
// of type [Data].
//
// The first holder that opens freezes the table, since every holder has the same slots all the time. A request for a
// slot is refused when the table is frozen, and when the name is taken. So two packages never share a slot by accident.
//
// # Open and release
//
// [Hooks] fill and empty a slot. Layers are a stack: they open in the order in which they asked for their slots, and
// are released in the opposite order. The code that opens a holder can hand data to one layer with [Slot.WithValue]. A
// layer that releases the holder in its OnOpen refuses it, and the layers after it don't open. [Slot.GetOrSet] sets a
// value that is known only later.
//
// Code that uses a holder pins it with [Data.Pin]. A holder that closes meanwhile is released after the last Unpin.
// [Table.Wait] waits for the last release, at the end of a program.
//
// # Promises
//
//   - Getting, setting and taking are O(1), take no lock, and may be done by several goroutines at once. Getting and
//     taking allocate nothing; nor does setting in tables of up to eight slots.
//   - OnRelease runs exactly once for every holder that the layer opened, after the last Unpin, whatever runs at the
//     same time.
//   - OnRelease gets the value in the slot. It doesn't get values that were taken, replaced or refused before.
//   - A hook that panics is logged. The other hooks still run.
//   - Mistakes are errors that name the slot. Where a name is asked for twice, the error also says where the first
//     request is in the source.
//   - [Table.Figures] shows leaks. The package starts no goroutine.
package slot
