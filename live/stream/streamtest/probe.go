package streamtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session/internal/suite"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

// A probe is the test of a rule and the log under test. Its methods end the test when the log breaks the contract, so
// they are for the test's own goroutine.
type probe struct {
	*testing.T
	log    stream.Log
	ctx    context.Context
	reopen func() stream.Log

	mu sync.Mutex
	// mu locks the remaining field.
	made []stream.ID
}

// use makes l the log under test, and cleans up after the rule.
func (p *probe) use(l stream.Log) {
	p.log = l
	p.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		p.mu.Lock()
		made := p.made
		p.mu.Unlock()
		for _, id := range made {
			p.remove(ctx, l, id)
		}
		_ = l.Close(ctx, false)
	})
}

// remove ends a socket, if it is there.
func (p *probe) remove(ctx context.Context, l stream.Log, id stream.ID) {
	for s, err := range l.Sockets(ctx, stream.Filter{ID: id}) {
		if err != nil || s == nil || s.ID != id {
			return
		}
		s, err = l.Take(ctx, again(s))
		if err == nil && s != nil {
			_, _ = l.Commit(ctx, &stream.Batch{Lease: s.Lease(), Ops: []stream.Op{{Kind: stream.End}}})
		}
		return
	}
}

// now is the time by the log's clock.
func (p *probe) now() time.Time {
	if c, ok := p.log.(stream.Clock); ok {
		return c.Now()
	}
	return time.Now()
}

// grain allows for logs that count milliseconds, and for clocks that are being adjusted.
const grain = 20 * time.Millisecond

// wantDuring tests that a time lies between from and now.
func (p *probe) wantDuring(what string, got, from time.Time) {
	p.Helper()
	if to := p.now(); got.Before(from.Add(-grain)) || got.After(to.Add(grain)) {
		p.Errorf("%s: got %v, want a time from %v to %v", what, got, from, to)
	}
}

// until calls done again and again until it reports true.
func (p *probe) until(what string, done func() bool) {
	p.Helper()
	for !done() {
		select {
		case <-p.ctx.Done():
			p.Fatalf("waiting until %s: %v", what, p.ctx.Err())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func newSession() (id store.ID) { rand.Read(id[:]); return id }
func newName() string           { return "streamtest " + rand.Text() }

// claim returns a claim for a new socket.
func (p *probe) claim() *stream.Claim {
	c := &stream.Claim{
		ID: stream.NewID(), New: true, Session: newSession(), Owner: newName(), Node: "node a", Endpoint: "endpoint a",
	}
	p.mu.Lock()
	p.made = append(p.made, c.ID)
	p.mu.Unlock()
	return c
}

// again returns the claim for a socket that is there, by another node.
func again(s *stream.Socket) *stream.Claim {
	return &stream.Claim{ID: s.ID, Session: s.Session, Owner: s.Owner, Node: "node b", Endpoint: s.Endpoint}
}

// socket makes a new socket.
func (p *probe) socket() *stream.Socket {
	p.Helper()
	return p.take(p.claim())
}

func (p *probe) take(c *stream.Claim) *stream.Socket {
	p.Helper()
	s, err := p.tryTake(c)
	if err != nil {
		p.Fatalf("Take: %v", err)
	}
	return s
}

// tryTake is take for any goroutine. A missing socket is an error, so that no rule panics because of it.
func (p *probe) tryTake(c *stream.Claim) (*stream.Socket, error) {
	s, err := p.log.Take(p.ctx, c)
	if s == nil && err == nil {
		return nil, errors.New("no socket and no error")
	}
	return s, err
}

// look returns a socket as the log has it, or nil.
func (p *probe) look(id stream.ID) *stream.Socket {
	p.Helper()
	all := p.list(stream.Filter{ID: id})
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// see is look for a socket that has to be there.
func (p *probe) see(id stream.ID) *stream.Socket {
	p.Helper()
	s := p.look(id)
	if s == nil {
		p.Fatalf("the socket is not listed")
	}
	return s
}

func (p *probe) list(f stream.Filter) (all []*stream.Socket) {
	p.Helper()
	for s, err := range p.log.Sockets(p.ctx, f) {
		if err != nil || s == nil {
			p.Fatalf("Sockets: got %v, error %v", s, err)
		}
		all = append(all, s)
	}
	return all
}

func batch(s *stream.Socket, ops ...stream.Op) *stream.Batch {
	b := &stream.Batch{Ops: ops}
	if s != nil {
		b.Lease = s.Lease()
	}
	return b
}

// message is batch for an upward message.
func message(s *stream.Socket, in uint64, ops ...stream.Op) *stream.Batch {
	b := batch(s, ops...)
	b.In, b.Received = in, fmt.Appendf(nil, "up %d", in)
	return b
}

func send(to stream.Name, data string) stream.Op {
	return stream.Op{Kind: stream.Send, Stream: to, Data: []byte(data)}
}

func join(channel, seat string) stream.Op {
	return stream.Op{Kind: stream.Join, Channel: channel, Seat: seat}
}

func leave(channel string) stream.Op { return stream.Op{Kind: stream.Leave, Channel: channel} }

func edit(channel string, edits ...store.Edit) stream.Op {
	return stream.Op{Kind: stream.Edit, Channel: channel, Change: &store.Change{Edits: edits}}
}

func set(name, json string) store.Edit { return store.Edit{Name: name, Op: store.Set, JSON: json} }
func add(name string, delta int64) store.Edit {
	return store.Edit{Name: name, Op: store.Add, Delta: delta}
}

// commit commits a batch that has to succeed.
func (p *probe) commit(b *stream.Batch) []stream.Position {
	p.Helper()
	at, err := p.tryCommit(b)
	if err != nil {
		p.Fatalf("Commit: %v", err)
	}
	return at
}

// tryCommit is commit for any goroutine.
func (p *probe) tryCommit(b *stream.Batch) ([]stream.Position, error) {
	at, err := p.log.Commit(p.ctx, b)
	return checked(b, at, err)
}

func checked(b *stream.Batch, at []stream.Position, err error) ([]stream.Position, error) {
	if err == nil && len(at) != len(b.Ops) {
		return nil, fmt.Errorf("got %d positions of %d operations", len(at), len(b.Ops))
	}
	return at, err
}

func (p *probe) wantCommit(b *stream.Batch, want error) {
	p.Helper()
	_, err := p.log.Commit(p.ctx, b)
	p.wantError("Commit", err, want)
}

func (p *probe) wantError(call string, got, want error) {
	p.Helper()
	if !errors.Is(got, want) {
		p.Errorf("%s: got error %v, want %v", call, got, want)
	}
}

// read reads messages that have to be there.
func (p *probe) read(s stream.Name, after stream.Position) []stream.Message {
	p.Helper()
	ms, err := p.log.Read(p.ctx, s, after, 10_000)
	if err != nil {
		p.Fatalf("Read after %v: %v", after, err)
	}
	return ms
}

// wantRead tests what follows a position. An event is written as its name.
func (p *probe) wantRead(s stream.Name, after stream.Position, want ...string) {
	p.Helper()
	ms := p.read(s, after)
	if got := texts(ms); !slices.Equal(got, want) {
		p.Errorf("messages after %d: got %q, want %q", after.Number, got, want)
	}
	for i, m := range ms {
		if n := after.Number + uint64(i) + 1; m.Number != n {
			p.Errorf("the number of message %q: got %d, want %d", m.Data, m.Number, n)
		}
	}
}

func texts(ms []stream.Message) (all []string) {
	for _, m := range ms {
		text := string(m.Data)
		if m.Member {
			e, _ := stream.DecodeMemberEvent(m.Data)
			text = string(e.Event)
		}
		all = append(all, text)
	}
	return all
}

// wantGap tests that Read returns a gap, and returns where reading goes on.
func (p *probe) wantGap(s stream.Name, after stream.Position, why stream.Gap) stream.Position {
	p.Helper()
	ms, err := p.log.Read(p.ctx, s, after, 100)
	var gap *stream.GapError
	if !errors.As(err, &gap) || !errors.Is(err, stream.ErrGap) {
		p.Fatalf("Read after %v: got messages %q and error %v, want a gap", after, texts(ms), err)
	}
	if gap.Why != why || gap.Stream != s {
		p.Errorf("the gap: got %+v, want why %q and stream %q", gap, why, s)
	}
	return gap.At
}

// channel returns a channel that has to have members.
func (p *probe) channel(name string) *stream.Channel {
	p.Helper()
	c, err := p.log.Channel(p.ctx, name)
	if err != nil || c == nil {
		p.Fatalf("Channel: got %v, error %v", c, err)
	}
	return c
}

func (p *probe) wantNoChannel(name string) {
	p.Helper()
	if c, err := p.log.Channel(p.ctx, name); c != nil || err != nil {
		p.Errorf("Channel without members: got %v, error %v", c, err)
	}
}

// wantMembers tests who is in a channel.
func (p *probe) wantMembers(name string, want ...*stream.Socket) {
	p.Helper()
	var got, ids []stream.ID
	for _, m := range p.channel(name).Members {
		got = append(got, m.Socket)
	}
	for _, s := range want {
		ids = append(ids, s.ID)
	}
	if !slices.Equal(got, ids) {
		p.Errorf("members: got %v, want %v", got, ids)
	}
}

// wantState tests a value of the state; an empty one means that there is none.
func (p *probe) wantState(c *stream.Channel, name, want string) {
	p.Helper()
	if got, _ := c.State.Get(name); got != want {
		p.Errorf("value %q of the state: got %s, want %s", name, got, want)
	}
}

func (p *probe) begin() stream.Tx {
	p.Helper()
	t, err := p.log.Begin(p.ctx)
	if err != nil || t == nil {
		p.Fatalf("Begin: got %v, error %v", t, err)
	}
	p.Cleanup(t.Rollback)
	return t
}

func (p *probe) hold(t stream.Tx, channel string) *stream.Channel {
	p.Helper()
	c, err := tryHold(p.ctx, t, channel)
	if err != nil {
		p.Fatalf("Hold: %v", err)
	}
	return c
}

func tryHold(ctx context.Context, t stream.Tx, channel string) (*stream.Channel, error) {
	c, err := t.Hold(ctx, channel)
	if c == nil && err == nil {
		return nil, errors.New("no channel and no error")
	}
	return c, err
}

// together runs f in n goroutines that start at once, waits for all, and ends the test if one returns an error.
func (p *probe) together(n int, f func(i int) error) {
	p.Helper()
	if err := suite.Together(n, f); err != nil {
		p.Fatal(err)
	}
}
