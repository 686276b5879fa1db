package live_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/stream"
)

// stopAfter stops the first batch that has been committed with an operation of a kind, until goOn is closed.
func stopAfter(l *hookedLog, kind stream.OpKind) (committed, goOn chan struct{}) {
	committed, goOn, stop := stopOnce()
	l.hook(func() {
		l.onCommitted = func(b *stream.Batch) {
			if len(b.Ops) > 0 && b.Ops[0].Kind == kind {
				stop()
			}
		}
	})
	return committed, goOn
}

// wantToHear fails the test where a client does not get what its channel gets.
func (s *site) wantToHear(c *client) {
	s.t.Helper()
	if err := s.hub.Channel("news", nil).Send(s.t.Context(), []byte(`"for members"`)); err != nil {
		s.t.Fatal(err)
	}
	for {
		if strings.Contains(c.receive(), `"for members"`) {
			return
		}
	}
}

// A socket that joins again while a leave is on its way gets what the channel gets.
func TestJoinBesideALeave(t *testing.T) {
	site, l := newObeyingHooked(t, nil, nil)
	c, _, socket := site.member("ada", "a")
	news := site.hub.Channel("news", nil)
	mb, err := news.Join(t.Context(), socket, "a")
	if err != nil {
		t.Fatal(err)
	}
	committed, goOn := stopAfter(l, stream.Leave)
	left := make(chan error)
	go func() { left <- mb.Leave(context.Background()) }()
	<-committed
	if _, err := news.Join(t.Context(), socket, "a"); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	if err := <-left; err != nil {
		t.Fatal(err)
	}
	site.wantToHear(c)
}

// Of two joins of one socket at once, to different seats, one counts, and the socket gets what the channel gets.
func TestJoinsToTwoSeatsAtOnce(t *testing.T) {
	site, l := newObeyingHooked(t, nil, nil)
	c, w := site.open(site.login("ada"), hello)
	id, _ := live.ParseID(w.ID)
	socket, news := site.hub.Socket(id), site.hub.Channel("news", nil)
	committed, goOn := stopAfter(l, stream.Join)
	joined := make(chan error, 2)
	join := func(seat string) {
		_, err := news.Join(context.Background(), socket, seat)
		joined <- err
	}
	go join("a")
	<-committed
	go join("b")
	var errs []error
	select {
	case err := <-joined: // it has not waited
		errs = append(errs, err)
	case <-time.After(100 * time.Millisecond):
	}
	close(goOn)
	for len(errs) < 2 {
		errs = append(errs, <-joined)
	}
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("got errors %v, want one", errs)
	}
	site.wantToHear(c)
}
