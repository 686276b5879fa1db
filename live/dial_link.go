package live

import (
	"context"
	"time"

	"github.com/coder/websocket"
)

// clientComeback is the close code of a client that will resume.
const clientComeback StatusCode = 4000

// clientPatience is how long a client waits for the server's part of a close.
const clientPatience = time.Second

const (
	clientAckAfter = time.Second // what was received is acknowledged after this time,
	clientAckEvery = 32          // or after so many messages
)

// A clientLink is one connection of a Conn. Its methods may be called on nil, which is no connection.
type clientLink struct {
	ws       *websocket.Conn
	cancel   context.CancelFunc // ends the connection at once
	silence  *time.Timer        // calls cancel
	patience time.Duration      // of silence; for the goroutine that reads
	ack      *time.Timer
	bye      *time.Timer
	wake     chan struct{} // there may be something to write

	// The Conn's mu locks the remaining fields.
	since   time.Time // when it was welcome
	waiting bool      // ack runs
	ackDue  bool
	beatDue bool
}

func newClientLink(ws *websocket.Conn, cancel context.CancelFunc, silence *time.Timer) *clientLink {
	return &clientLink{
		ws: ws, cancel: cancel, silence: silence, patience: clientSilent,
		ack: stoppedTimer(), bye: stoppedTimer(), wake: make(chan struct{}, 1),
	}
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

func (l *clientLink) stop() {
	l.ack.Stop()
	l.bye.Stop()
}

// heard puts the end for silence off.
func (l *clientLink) heard() { l.silence.Reset(l.patience) }

// held reports whether the connection has been welcome for some time.
func (l *clientLink) held() bool { return !l.since.IsZero() && time.Since(l.since) >= clientQuiet }

func (l *clientLink) wakeUp() {
	if l == nil {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// received sees to the acknowledgement of what was received.
func (l *clientLink) received(in *clientInbox) {
	switch {
	case l == nil || in.fresh == 0:
	case in.fresh >= clientAckEvery:
		l.ackDue = true
		l.wakeUp()
	case !l.waiting:
		l.waiting = true
		l.ack.Reset(clientAckAfter)
	}
}

// comeBack closes the connection with the code of a client that will resume. read has to go on meanwhile, for the
// server's answer.
func (l *clientLink) comeBack() {
	defer time.AfterFunc(clientPatience, l.cancel).Stop()
	_ = l.ws.Close(clientComeback, "")
}

// discard has the connection closed by comeBack, and reads until it is.
func (l *clientLink) discard(ctx context.Context) {
	l.silence.Reset(clientPatience)
	l.bye.Reset(0)
	for {
		if _, _, err := l.ws.Read(ctx); err != nil {
			return
		}
	}
}

// leave tells the server that the socket has ended, for a second at most.
func (l *clientLink) leave(welcome bool) {
	if l == nil {
		return
	}
	defer time.AfterFunc(clientPatience, l.cancel).Stop()
	if welcome {
		_ = l.ws.Write(context.Background(), websocket.MessageText, []byte(`{"t":"end"}`))
	}
	_ = l.ws.Close(websocket.StatusNormalClosure, "")
}
