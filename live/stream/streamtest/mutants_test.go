package streamtest_test

import (
	"context"
	"errors"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lazysession/session/internal/suite"
	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/live/stream/streamtest"
	"github.com/lazysession/session/store"
)

// A mutant is a log with one mistake, and the rules that it has to break.
type mutant struct {
	name   string
	breaks string
	bend   func(*bent)
}

func TestEveryRuleCanFail(t *testing.T) { suite.Prove(t, streamtest.RuleNames(), suiteMutants()) }

func suiteMutants() (all []suite.Mutant) {
	for _, m := range mutants {
		all = append(all, suite.Mutant{Name: m.name, Breaks: m.breaks})
	}
	return all
}

// TestMutant is what suite.Prove runs.
func TestMutant(t *testing.T) {
	i := suite.Chosen(t, suiteMutants())
	streamtest.BeImpatient()
	m := mutants[i]
	streamtest.Run(t, func(t *testing.T) stream.Log { return m.open(t, "", false) })
	streamtest.RunArchive(t, func(t *testing.T) (stream.Log, func() stream.Log) {
		path := filepath.Join(t.TempDir(), "archive")
		return m.open(t, path, false), func() stream.Log { return m.open(t, path, true) }
	})
}

func (m mutant) open(t *testing.T, path string, reopened bool) stream.Log {
	l, err := memlog.Open(&memlog.Options{Archive: path, Received: &stream.Retention{}})
	if err != nil {
		t.Fatal(err)
	}
	b := &bent{Log: l, reopened: reopened}
	m.bend(b)
	return b
}

// TestReference runs the suite on a log that can be bent, and is not.
func TestReference(t *testing.T) {
	straight := mutant{bend: func(*bent) {}}
	streamtest.Run(t, func(t *testing.T) stream.Log { return straight.open(t, "", false) })
}

var mutants = slices.Concat(
	takingMutants, committingMutants, readingMutants, awayMutants, channelMutants, holdingMutants, listingMutants,
	tellingMutants, servingMutants, archiveMutants,
)

var errBent = errors.New("bent")

var takingMutants = []mutant{
	{"makes sockets without an epoch", "take-new", seen(func(_ *bent, s *stream.Socket) { s.Out.Epoch = "" })},
	{"makes a socket twice", "take-new-twice new-at-once", claimed(func(c *stream.Claim, _ *stream.Socket) {
		c.New = false
	})},
	{"makes what it doesn't know", "take-unknown end", func(b *bent) {
		b.take = func(ctx context.Context, c *stream.Claim) (*stream.Socket, error) {
			c.New = c.New || b.socket(c.ID).ID.IsZero()
			return b.Log.Take(ctx, c)
		}
	}},
	{"gives sockets to any session", "take-foreign", claimed(func(c *stream.Claim, s *stream.Socket) {
		c.Session = s.Session
	})},
	{"gives sockets to any endpoint", "take-elsewhere", claimed(func(c *stream.Claim, s *stream.Socket) {
		c.Endpoint = s.Endpoint
	})},
	{"keeps the first owner", "take-again", claimed(func(c *stream.Claim, s *stream.Socket) { c.Owner = s.Owner })},
	{"does not fence", "take-fences fence-at-once archive-fences overdue-claim", before(
		func(b *bent, batch *stream.Batch) {
			if s := b.socket(batch.Lease.Socket); !s.ID.IsZero() {
				batch.Lease = s.Lease()
			}
		})},
	{"takes what is not overdue", "overdue-claim-early overdue-claim", claimed(
		func(c *stream.Claim, s *stream.Socket) {
			if c.Overdue {
				c.Overdue, c.Session, c.Owner, c.Endpoint = false, s.Session, s.Owner, s.Endpoint
			}
		})},
	{"forgets the welcome", "welcome take-again archive-sockets", seen(func(_ *bent, s *stream.Socket) {
		s.Welcomed = false
	})},
}

var committingMutants = []mutant{
	{"takes any number", "in-order in-at-once", before(func(b *bent, batch *stream.Batch) {
		if batch.In != 0 {
			batch.In = b.socket(batch.Lease.Socket).In + 1
		}
	})},
	{"counts every batch", "in-without", before(func(b *bent, batch *stream.Batch) {
		if s := b.socket(batch.Lease.Socket); !s.ID.IsZero() {
			batch.In = s.In + 1
		}
	})},
	{"applies one operation after the other", "refused-whole moved-within edit-refused", func(b *bent) {
		b.commit = func(batch *stream.Batch, do committer) (at []stream.Position, err error) {
			for _, op := range batch.Ops {
				one, err := do(&stream.Batch{Lease: batch.Lease, In: batch.In, Ops: []stream.Op{op}})
				if err != nil {
					return nil, err
				}
				at, batch.In = append(at, one...), 0
			}
			return at, nil
		}
	}},
	{"refuses to do nothing", "commit-nothing", func(b *bent) {
		b.commit = func(batch *stream.Batch, do committer) ([]stream.Position, error) {
			if len(batch.Ops) == 0 {
				return nil, errBent
			}
			return do(batch)
		}
	}},
	{"returns the position before", "send send-many join leave", after(
		func(_ *bent, _ *stream.Batch, at []stream.Position, err error) ([]stream.Position, error) {
			for i := range at {
				at[i].Number--
			}
			return at, err
		})},
	{"applies the last operation first", "send-many edit-in-order", func(b *bent) {
		b.commit = func(batch *stream.Batch, do committer) ([]stream.Position, error) {
			slices.Reverse(batch.Ops)
			at, err := do(batch)
			slices.Reverse(at)
			return at, err
		}
	}},
	{"needs a lease", "send-nobody hold-nobody", func(b *bent) {
		b.commit = func(batch *stream.Batch, do committer) ([]stream.Position, error) {
			if batch.Lease == (stream.Lease{}) {
				return nil, stream.ErrFenced
			}
			return do(batch)
		}
	}},
	{"refuses to send to nobody", "send-absent", after(
		func(_ *bent, batch *stream.Batch, at []stream.Position, err error) ([]stream.Position, error) {
			for i := range at {
				if batch.Ops[i].Kind == stream.Send && at[i] == (stream.Position{}) {
					return nil, stream.ErrNotFound
				}
			}
			return at, err
		})},
	{"keeps what it was lent", "send-borrows", func(b *bent) {
		lent := map[stream.Position][]byte{}
		b.commit = func(batch *stream.Batch, do committer) ([]stream.Position, error) {
			at, err := do(batch)
			b.mu.Lock()
			defer b.mu.Unlock()
			for i := range at {
				lent[at[i]] = batch.Ops[i].Data
			}
			return at, err
		}
		b.read = func(s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
			ms, err := b.rightRead(s, after, limit)
			ms = slices.Clone(ms)
			b.mu.Lock()
			defer b.mu.Unlock()
			for i := range ms {
				if data, ok := lent[stream.Position{Epoch: after.Epoch, Number: ms[i].Number}]; ok {
					ms[i].Data = data
				}
			}
			return ms, err
		}
	}},
	{"keeps valid text only", "send-bytes archive-bytes", each(stream.Send,
		func(_ *bent, _ *stream.Batch, op *stream.Op) {
			op.Data = []byte(strings.ToValidUTF8(string(op.Data), "?"))
		})},
	{"counts over all streams", "streams-apart", func(b *bent) {
		var n atomic.Uint64
		after(func(_ *bent, _ *stream.Batch, at []stream.Position, err error) ([]stream.Position, error) {
			for i := range at {
				at[i].Number = n.Add(1)
			}
			return at, err
		})(b)
	}},
	{"loses what comes at once", "numbers-at-once channel-at-once", func(b *bent) {
		var active atomic.Int32
		before(func(_ *bent, batch *stream.Batch) {
			active.Add(1)
			defer active.Add(-1)
			time.Sleep(100 * time.Microsecond)
			for i := range batch.Ops {
				if batch.Ops[i].Kind == stream.Send && active.Load() > 1 {
					batch.Ops[i] = nothing
				}
			}
		})(b)
	}},
	{"loses a join beside another batch of its lease", "lease-at-once", func(b *bent) {
		var mu sync.Mutex
		active := map[stream.Lease]int{}
		count := func(of stream.Lease, by int) int {
			mu.Lock()
			defer mu.Unlock()
			active[of] += by
			return active[of]
		}
		each(stream.Join, func(_ *bent, batch *stream.Batch, op *stream.Op) {
			if count(batch.Lease, 0) > 1 {
				*op = nothing
			}
		})(b)
		commit := b.commit
		b.commit = func(batch *stream.Batch, do committer) ([]stream.Position, error) {
			count(batch.Lease, 1)
			defer count(batch.Lease, -1)
			time.Sleep(100 * time.Microsecond)
			return commit(batch, do)
		}
	}},
	{"renumbers nothing", "renumber renumber-gap renumber-back", without(stream.Renumber)},
	{"keeps half", "keep", each(stream.Send, func(_ *bent, _ *stream.Batch, op *stream.Op) { op.Keep.Messages /= 2 })},
	{"keeps everything", "keep-bounded", each(stream.Send, func(_ *bent, _ *stream.Batch, op *stream.Op) {
		op.Keep = stream.Retention{Messages: 1 << 20, Bytes: 1 << 30, Age: time.Hour}
	})},
}

var readingMutants = []mutant{
	{"says nothing of what was received", "received", reading(
		func(b *bent, s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
			if _, ok := s.Receiver(); ok {
				return nil, nil
			}
			return b.rightRead(s, after, limit)
		})},
	{"leaves events out", "send-channel join leave", reading(
		func(b *bent, s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
			ms, err := b.rightRead(s, after, limit)
			return slices.DeleteFunc(slices.Clone(ms), func(m stream.Message) bool { return m.Member }), err
		})},
	{"reads what was read before", "read-after", reading(
		func(b *bent, s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
			after.Number -= min(after.Number, 1)
			return b.rightRead(s, after, limit)
		})},
	{"reads the newest", "read-max watch-reads", reading(
		func(b *bent, s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
			ms, err := b.rightRead(s, after, 10_000)
			return ms[max(0, len(ms)-limit):], err
		})},
	{"hands out once", "read-again", func(b *bent) {
		gone := map[stream.Name]uint64{}
		b.read = func(s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			after.Number = max(after.Number, gone[s])
			ms, err := b.rightRead(s, after, limit)
			if len(ms) > 0 {
				gone[s] = ms[len(ms)-1].Number
			}
			return ms, err
		}
	}},
	{"uses again what it has lent", "read-shared", func(b *bent) {
		var lent []stream.Message
		b.read = func(s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
			ms, err := b.rightRead(s, after, limit)
			lent = slices.Clone(ms)
			return lent, err
		}
		before(func(*bent, *stream.Batch) {
			for i := range lent {
				lent[i].Data = nil
			}
		})(b)
	}},
	{"knows no epochs", "gap-epoch last-leave", reading(
		func(b *bent, s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
			if top := b.top(s); top.Epoch != "" {
				after.Epoch = top.Epoch
			}
			return b.rightRead(s, after, limit)
		})},
	{"keeps its epoch", "gap-future", reading(
		func(b *bent, s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
			if top := b.top(s); after.Epoch == top.Epoch && after.Number > top.Number {
				return nil, &stream.GapError{Stream: s, Why: stream.Reset, At: top}
			}
			return b.rightRead(s, after, limit)
		})},
	{"waits for what is above the top", "gap-future", reading(
		func(b *bent, s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
			if top := b.top(s); after.Epoch == top.Epoch && after.Number > top.Number {
				return nil, nil
			}
			return b.rightRead(s, after, limit)
		})},
	{"says nothing of streams that are gone", "read-absent end-stream archive-ended", reading(
		func(b *bent, s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
			ms, err := b.rightRead(s, after, limit)
			if gap, ok := err.(*stream.GapError); ok && gap.At == (stream.Position{}) {
				return nil, nil
			}
			return ms, err
		})},
	{"reads over gaps", "renumber-gap keep-bounded", reading(
		func(b *bent, s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
			ms, err := b.rightRead(s, after, limit)
			if gap, ok := err.(*stream.GapError); ok && gap.Why == stream.Old {
				return b.rightRead(s, gap.At, limit)
			}
			return ms, err
		})},
	{"keeps nothing large", "keep-newest", reading(
		func(b *bent, s stream.Name, after stream.Position, limit int) ([]stream.Message, error) {
			ms, err := b.rightRead(s, after, limit)
			return slices.DeleteFunc(slices.Clone(ms), func(m stream.Message) bool { return len(m.Data) > 900 }), err
		})},
}

var awayMutants = []mutant{
	{"is away for long", "away overdue overdue-max", each(stream.Away,
		func(_ *bent, _ *stream.Batch, op *stream.Op) { op.Window += time.Hour })},
	{"stays away", "away-back archive-sockets", func(b *bent) {
		b.take = func(ctx context.Context, c *stream.Claim) (*stream.Socket, error) {
			s, err := b.Log.Take(ctx, c)
			if err == nil && !c.New {
				s.AwayUntil = time.Now().Add(time.Hour)
			}
			return s, err
		}
	}},
	{"finds everybody overdue", "overdue", func(b *bent) {
		b.overdue = func(int) (all []*stream.Socket, err error) {
			for s := range b.Log.Sockets(context.Background(), stream.Filter{}) {
				all = append(all, s)
			}
			return all, nil
		}
	}},
	{"finds all that are overdue", "overdue-max", func(b *bent) {
		b.overdue = func(int) ([]*stream.Socket, error) { return b.Log.Overdue(context.Background(), 100) }
	}},
	{"ends nothing", "end end-leaves end-stream archive-ended", without(stream.End)},
}

var channelMutants = []mutant{
	{"joins without a position", "join join-moves seat-replaced full", after(
		func(_ *bent, batch *stream.Batch, at []stream.Position, err error) ([]stream.Position, error) {
			for i := range at {
				if batch.Ops[i].Kind == stream.Join {
					at[i] = stream.Position{}
				}
			}
			return at, err
		})},
	{"joins anew", "join-again", func(b *bent) {
		b.commit = func(batch *stream.Batch, do committer) ([]stream.Position, error) {
			for _, op := range batch.Ops {
				if op.Kind == stream.Join {
					_, _ = do(&stream.Batch{Lease: batch.Lease, Ops: []stream.Op{{Kind: stream.Leave, Channel: op.Channel}}})
				}
			}
			return do(batch)
		}
	}},
	{"keeps the first seat", "join-moves moved-within", each(stream.Join,
		func(b *bent, batch *stream.Batch, op *stream.Op) {
			if _, ok := b.sits(batch.Lease.Socket, op.Channel); ok {
				*op = nothing
			}
		})},
	{"has no seats", "seat-taken seat-at-once join", each(stream.Join,
		func(_ *bent, _ *stream.Batch, op *stream.Op) { op.Seat = "" })},
	{"has any seat", "seat-unknown full", each(stream.Join,
		func(_ *bent, _ *stream.Batch, op *stream.Op) { op.Rules.Seats = nil })},
	{"replaces nobody", "seat-replaced", each(stream.Join,
		func(_ *bent, _ *stream.Batch, op *stream.Op) { op.Rules.Replace = false })},
	{"takes any number of members", "capacity capacity-at-once", each(stream.Join,
		func(_ *bent, _ *stream.Batch, op *stream.Op) { op.Rules.Capacity = 0 })},
	{"lets nobody leave", "leave last-leave leave-at-once", without(stream.Leave)},
	{"refuses to leave nothing", "leave-nothing", func(b *bent) {
		b.commit = func(batch *stream.Batch, do committer) ([]stream.Position, error) {
			for _, op := range batch.Ops {
				if _, ok := b.sits(batch.Lease.Socket, op.Channel); op.Kind == stream.Leave && !ok {
					return nil, stream.ErrNotMember
				}
			}
			return do(batch)
		}
	}},
	{"keeps what the last one left", "last-leave hold-last-leave", func(b *bent) {
		kept := map[string]store.Values{}
		b.commit = func(batch *stream.Batch, do committer) ([]stream.Position, error) {
			at, err := do(batch)
			b.mu.Lock()
			defer b.mu.Unlock()
			for _, op := range batch.Ops {
				c, _ := b.Log.Channel(context.Background(), op.Channel)
				if c == nil || err != nil {
					continue
				}
				if state := kept[op.Channel]; op.Kind == stream.Join && state.Len() > c.State.Len() {
					restored := []stream.Op{editsOf(op.Channel, state)}
					ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond) // it may be held
					_, _ = b.Log.Commit(ctx, &stream.Batch{Lease: batch.Lease, Ops: restored})
					cancel()
				}
				if c.State.Len() > 0 {
					kept[op.Channel] = c.State
				}
			}
			return at, err
		}
	}},
	{"sets instead of adding", "edit adds-at-once", each(stream.Edit,
		func(_ *bent, _ *stream.Batch, op *stream.Op) {
			op.Change = new(*op.Change)
			op.Change.Edits = slices.Clone(op.Change.Edits)
			for i, e := range op.Change.Edits {
				if e.Op == store.Add {
					op.Change.Edits[i] = store.Edit{Name: e.Name, Op: store.Set, JSON: "1"}
				}
			}
		})},
	{"lets anybody edit", "edit-not-member edit-nobody seat-replaced", func(b *bent) {
		b.commit = func(batch *stream.Batch, do committer) ([]stream.Position, error) {
			at, err := do(batch)
			if !errors.Is(err, stream.ErrNotMember) {
				return at, err
			}
			t, _ := b.Log.Begin(context.Background())
			defer t.Rollback()
			for _, op := range batch.Ops {
				_, _ = t.Hold(context.Background(), op.Channel)
			}
			return t.Commit(context.Background(), batch)
		}
	}},
	{"leaves out what it can't edit", "edit-refused refused-whole", after(
		func(_ *bent, batch *stream.Batch, at []stream.Position, err error) ([]stream.Position, error) {
			if errors.Is(err, store.ErrNotInteger) {
				return make([]stream.Position, len(batch.Ops)), nil
			}
			return at, err
		})},
	{"clears nothing", "edit-clears", each(stream.Edit, func(_ *bent, _ *stream.Batch, op *stream.Op) {
		op.Change = &store.Change{Edits: op.Change.Edits}
	})},
}

var holdingMutants = []mutant{
	{"shows an empty channel", "hold hold-exact hold-edits hold-twice", func(b *bent) {
		b.hold = func(t *bentTx, ctx context.Context, channel string) (*stream.Channel, error) {
			_, err := t.Tx.Hold(ctx, channel)
			return &stream.Channel{Name: channel}, err
		}
	}},
	{"holds only what is there", "hold-empty", func(b *bent) {
		b.hold = func(t *bentTx, ctx context.Context, channel string) (*stream.Channel, error) {
			c, err := t.Tx.Hold(ctx, channel)
			if err == nil && len(c.Members) == 0 {
				return nil, stream.ErrNotFound
			}
			return c, err
		}
	}},
	{"holds once only", "hold-twice", func(b *bent) {
		b.hold = func(t *bentTx, ctx context.Context, channel string) (*stream.Channel, error) {
			if slices.Contains(t.held, channel) {
				return nil, stream.ErrDeadlock
			}
			t.held = append(t.held, channel)
			return t.Tx.Hold(ctx, channel)
		}
	}},
	{"holds nothing", "hold-exact hold-edits hold-ends hold-deadlock rollback", func(b *bent) {
		b.hold = func(_ *bentTx, ctx context.Context, channel string) (*stream.Channel, error) {
			c, err := b.Log.Channel(ctx, channel)
			if c == nil && err == nil {
				c = &stream.Channel{Name: channel}
			}
			return c, err
		}
	}},
	{"waits in a deadlock", "hold-deadlock", func(b *bent) {
		b.hold = func(t *bentTx, ctx context.Context, channel string) (*stream.Channel, error) {
			c, err := t.Tx.Hold(ctx, channel)
			if errors.Is(err, stream.ErrDeadlock) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return c, err
		}
	}},
	{"edits whatever is there by then", "hold-last-leave", func(b *bent) {
		b.commit = func(batch *stream.Batch, do committer) ([]stream.Position, error) {
			at, err := do(batch)
			if !errors.Is(err, stream.ErrDeadlock) {
				return at, err
			}
			batch.Ops[0] = editsOf(batch.Ops[0].Channel, store.MakeValues([]store.Value{{Name: "n", JSON: "2"}}))
			members, _ := b.Log.Channel(context.Background(), batch.Ops[0].Channel)
			batch.Lease = b.socket(members.Members[0].Socket).Lease()
			b.afterwards = append(b.afterwards, func() { _, _ = b.Log.Commit(context.Background(), batch) })
			return at, nil
		}
		b.rollback = func(t *bentTx) {
			t.Tx.Rollback()
			for _, f := range b.afterwards {
				f()
			}
			b.afterwards = nil
		}
	}},
	{"never lets go of what was refused", "hold-refused", func(b *bent) {
		b.rollback = func(t *bentTx) {
			if t.err == nil {
				t.Tx.Rollback()
			}
		}
	}},
}

var listingMutants = []mutant{
	{"lists any owner", "list", listed(func(f *stream.Filter) { f.Owner = "" })},
	{"lists any session", "list", listed(func(f *stream.Filter) { f.Session = store.ID{} })},
	{"lists twice", "list list-all", func(b *bent) {
		b.sockets = func(f stream.Filter, all lister) iter.Seq2[*stream.Socket, error] {
			return func(yield func(*stream.Socket, error) bool) {
				for s, err := range all(f) {
					for range 2 {
						if !yield(s, err) {
							return
						}
					}
				}
			}
		}
	}},
	{"locks while it lists", "list-break", func(b *bent) {
		var listing atomic.Bool
		b.sockets = func(f stream.Filter, all lister) iter.Seq2[*stream.Socket, error] {
			return func(yield func(*stream.Socket, error) bool) {
				listing.Store(true)
				defer listing.Store(false)
				all(f)(yield)
			}
		}
		b.commit = func(batch *stream.Batch, do committer) ([]stream.Position, error) {
			if listing.Load() {
				return nil, errBent
			}
			return do(batch)
		}
	}},
}

// listed changes each filter.
func listed(change func(*stream.Filter)) func(*bent) {
	return func(b *bent) {
		b.sockets = func(f stream.Filter, all lister) iter.Seq2[*stream.Socket, error] {
			change(&f)
			return all(f)
		}
	}
}

var tellingMutants = []mutant{
	{"tells nothing", "watch watch-events watch-all watch-last watch-reads watch-take watch-truth", hinting(
		func(stream.Name, stream.Position, func(stream.Name, stream.Position)) {})},
	{"tells of sockets only", "watch watch-events", hinting(
		func(s stream.Name, top stream.Position, tell func(stream.Name, stream.Position)) {
			if _, ok := s.Socket(); ok {
				tell(s, top)
			}
		})},
	{"tells of growth only", "watch-take", hinting(
		func(s stream.Name, top stream.Position, tell func(stream.Name, stream.Position)) {
			if top.Number > 0 {
				tell(s, top)
			}
		})},
	{"tells when the next message comes", "watch-last watch", func(b *bent) {
		waiting := map[stream.Name]stream.Position{}
		b.hint = func(s stream.Name, top stream.Position, tell func(stream.Name, stream.Position)) {
			b.mu.Lock()
			was, ok := waiting[s]
			waiting[s] = top
			b.mu.Unlock()
			if ok {
				tell(s, was)
			}
		}
	}},
	{"tells of what is to come", "watch-truth", hinting(
		func(s stream.Name, top stream.Position, tell func(stream.Name, stream.Position)) {
			top.Number++
			tell(s, top)
		})},
	{"tells the first watcher only", "watch-all watch-cancel", func(b *bent) {
		var watched atomic.Bool
		b.watch = func(f func(stream.Name, stream.Position)) func() {
			if watched.Swap(true) {
				return func() {}
			}
			return b.Log.Watch(f)
		}
	}},
	{"never stops telling", "watch-cancel", func(b *bent) {
		b.watch = func(f func(stream.Name, stream.Position)) func() {
			b.Log.Watch(f)
			return func() {}
		}
	}},
}

var servingMutants = []mutant{
	{"can't get warm", "warm", func(b *bent) { b.warm = func() error { return errBent } }},
	{"closes nothing", "close close-tx", func(b *bent) {
		b.close = func(context.Context, bool) error { return nil }
	}},
	{"closes once only", "close-twice", func(b *bent) {
		var closed atomic.Bool
		b.close = func(ctx context.Context, backup bool) error {
			if closed.Swap(true) {
				return stream.ErrClosed
			}
			return b.Log.Close(ctx, backup)
		}
	}},
}

// onceReopened bends only a log that was opened again.
func onceReopened(bend func(*bent)) func(*bent) {
	return func(b *bent) {
		if b.reopened {
			bend(b)
		}
	}
}

var archiveMutants = []mutant{
	{"keeps no messages in archives", "archive-numbers archive-channels archive-twice", onceReopened(reading(
		func(*bent, stream.Name, stream.Position, int) ([]stream.Message, error) { return nil, nil }))},
	{"opens with older numbers", "archive-numbers", onceReopened(seen(func(_ *bent, s *stream.Socket) { s.In = 0 }))},
	{"opens with sockets that are there", "archive-sockets", onceReopened(seen(func(_ *bent, s *stream.Socket) {
		s.AwayUntil = time.Time{}
	}))},
	{"opens without state", "archive-channels archive-bytes", onceReopened(func(b *bent) {
		b.channel = func(c *stream.Channel) *stream.Channel {
			c.State = store.Values{}
			return c
		}
	})},
	{"opens with members that are there", "archive-channels", onceReopened(func(b *bent) {
		b.channel = func(c *stream.Channel) *stream.Channel {
			c.Members = slices.Clone(c.Members)
			for i := range c.Members {
				c.Members[i].Away = false
			}
			return c
		}
	})},
}
