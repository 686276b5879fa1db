package pglog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lazysession/session/live/stream"
)

// A request is a batch, or the claim of a socket that is there.
type request struct {
	batch  *stream.Batch
	claim  *stream.Claim
	orphan *stream.Lease // the claim is for a socket whose node has died
	window time.Duration // for which it may stay away

	at     []stream.Position
	socket *stream.Socket
	err    error // why it is refused; nothing of it is applied then

	done chan struct{}
}

// id returns the socket that the request is for; zero where it is for none.
func (r *request) id() stream.ID {
	if r.claim != nil {
		return r.claim.ID
	}
	return r.batch.Lease.Socket
}

// longestName is what an index takes, and a notification.
const longestName = 1000

var errReceived = errors.New("pglog: nothing can be sent to what a socket has sent upward")

// need adds what the request needs.
func (r *request) need(n *needs) {
	if id := r.id(); !id.IsZero() {
		n.sockets = append(n.sockets, id)
	}
	if r.claim != nil {
		n.of = append(n.of, r.claim.ID)
		return
	}
	for i := range r.batch.Ops {
		switch op := &r.batch.Ops[i]; op.Kind {
		case stream.Send:
			if id, ok := op.Stream.Socket(); ok {
				n.sockets = append(n.sockets, id)
			}
			if name, ok := op.Stream.Channel(); ok {
				n.channels = append(n.channels, name)
			}
		case stream.Join, stream.Leave, stream.Edit:
			n.channels = append(n.channels, op.Channel)
			n.exclusive = append(n.exclusive, op.Channel)
		case stream.Away, stream.End:
			n.of = append(n.of, r.batch.Lease.Socket)
		}
	}
}

// check returns what is wrong with a batch, whatever the database has.
func check(b *stream.Batch) error {
	nobody := b.Lease == (stream.Lease{})
	if nobody && b.In != 0 {
		return errors.New("pglog: a batch without a lease handles no message")
	}
	for i := range b.Ops {
		op := &b.Ops[i]
		if op.Kind > stream.Renumber {
			return fmt.Errorf("pglog: unknown operation %v", op.Kind)
		}
		if nobody && op.Kind != stream.Send && op.Kind != stream.Edit {
			return fmt.Errorf("pglog: a batch without a lease can't %v", op.Kind)
		}
		if _, up := op.Stream.Receiver(); up && op.Kind == stream.Send {
			return errReceived
		}
		if op.Kind == stream.Join && len(op.Channel) > longestName {
			return fmt.Errorf("pglog: channel %.40q…: a name has at most %d bytes", op.Channel, longestName)
		}
	}
	return nil
}

// apply applies the request to a state, and returns the change; nil where it is refused.
func (r *request) apply(st *state, held map[string]int64) *change {
	s := &step{change: newChange(), st: st, held: held}
	if r.claim != nil {
		r.socket, r.err = s.claim(r.claim, r.orphan, r.window)
	} else {
		r.at, r.err = s.batch(r.batch)
	}
	if r.err != nil {
		return nil
	}
	return s.change
}

// run applies requests in one transaction, which begin says to begin. Those that are refused change nothing, and the
// others are committed. Each of them is for another socket, or for none. With an error none was committed, as far as
// the database has told.
func (l *Log) run(ctx context.Context, conn *pgx.Conn, begin bool, held map[string]int64, all ...*request) error {
	n := &needs{}
	for _, r := range all {
		r.need(n)
	}
	slices.SortFunc(n.sockets, func(a, b stream.ID) int { return slices.Compare(a[:], b[:]) })
	n.sockets = slices.Compact(n.sockets)
	st, err := l.load(ctx, conn, begin, n)
	if err != nil {
		return err
	}
	sum, applied := newChange(), false
	for _, r := range all {
		if c := r.apply(st, held); c != nil {
			applied = true
			st.take(c)
			sum.add(c)
		}
	}
	if !applied {
		_, err := conn.Exec(ctx, "ROLLBACK")
		return err
	}
	if err := l.store(ctx, conn, st, sum); err != nil {
		return err
	}
	told := sum.hints()
	for _, r := range all {
		if r.claim != nil && r.err == nil {
			told = append(told, hint{stream.Own(r.claim.ID), r.socket.Out}) // for the node that had it
		}
	}
	l.tell(told)
	return nil
}
