package stream

import (
	"slices"
	"time"

	"github.com/lazysession/session/store"
)

// A Socket is what a log knows of a socket. It is immutable.
type Socket struct {
	ID          ID
	Incarnation uint64   // of the newest lease
	Session     store.ID // the session that it belongs to
	Owner       string   // the session's owner when the socket was last taken
	Node        string   // that has taken it
	Endpoint    string   // which of the hub's endpoints serves it
	Created     time.Time
	Welcomed    bool      // the client knows the socket's ID
	In          uint64    // the number of the last upward message that was handled
	Out         Position  // the top of the socket's own stream
	AwayUntil   time.Time // how long it may stay away; zero while it is connected
	Channels    []string  // that it is a member of, in the order of joining
}

// Lease returns the lease of the node that has taken the socket.
func (s *Socket) Lease() Lease { return Lease{Socket: s.ID, Incarnation: s.Incarnation} }

// A Lease is the right to commit for a socket. It ends when the socket is taken again.
type Lease struct {
	Socket      ID
	Incarnation uint64
}

// A Claim says which socket a node wants to take. The node that had it is fenced, and a socket that was away is back
// in its channels.
type Claim struct {
	ID      ID
	New     bool     // make the socket, which isn't there; else it has to be there, and belong to Session
	Session store.ID // a claim for another session's socket is ErrNotFound
	// Endpoint says which of the hub's endpoints serves it. A claim for another endpoint's socket is ErrNotFound.
	Endpoint string
	Owner    string // the session's owner
	Node     string // that wants to take it

	// Overdue takes the socket only if it did not come back in time, so that the node can commit its End. It stays away in
	// its channels. Session, Owner and Endpoint are not looked at, and stay as they were.
	Overdue bool
}

// A Filter says which sockets to list. The zero Filter matches all; of several fields, all have to match.
type Filter struct {
	ID      ID       // this socket
	Owner   string   // sockets of this owner's sessions
	Session store.ID // sockets of this session
	Channel string   // members of this channel
}

// Matches reports whether a socket matches the filter. It is for logs that filter sockets in Go.
func (f Filter) Matches(s *Socket) bool {
	return (f.ID.IsZero() || f.ID == s.ID) &&
		(f.Owner == "" || f.Owner == s.Owner) &&
		(f.Session.IsZero() || f.Session == s.Session) &&
		(f.Channel == "" || slices.Contains(s.Channels, f.Channel))
}
