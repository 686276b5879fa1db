package main

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/lazysession/session"
	"github.com/lazysession/session/live"
)

// socketsOf returns the live sockets of a session, the oldest first.
func (l *liveSite) socketsOf(ctx context.Context, id session.ID) ([]live.Info, error) {
	if id.IsZero() {
		return nil, nil
	}
	var sockets []live.Info
	for s, err := range l.hub.Sockets(ctx, live.Filter{Session: id}) {
		if err != nil {
			return nil, err
		}
		sockets = append(sockets, s)
	}
	slices.SortFunc(sockets, func(a, b live.Info) int { return a.Created.Compare(b.Created) })
	return sockets, nil
}

// liveNumbers are those of a socket before the message that asks for them, and the number of the answer.
type liveNumbers struct {
	In      uint64 `json:"in"`
	Out     uint64 `json:"out"`
	Resumes int64  `json:"resumes"` // of all sockets of the session
}

// tellNumbers answers any message of the page "Inside".
func (l *liveSite) tellNumbers(ctx context.Context, s *live.Socket, _ json.RawMessage) error {
	info, err := session.FromContext(ctx).Info()
	if err != nil {
		return err
	}
	sockets, err := l.socketsOf(ctx, info.ID)
	if err != nil {
		return err
	}
	var n liveNumbers
	for _, other := range sockets {
		if other.ID == s.ID() {
			n.In, n.Out = other.In, other.Out
		}
	}
	if n.Resumes, err = resumes.Get(ctx); err != nil {
		return err
	}
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return s.Send(ctx, data)
}
