package store

import "strconv"

// An Event is something that happened to a session.
type Event struct {
	Kind   Kind
	ID     ID     // which session; zero for Missed
	Owner  string // the session's owner; empty: it had none
	Reason Reason // why it ended; for Ended only
}

// A Kind is what happened.
type Kind uint8

const (
	Created Kind = iota + 1 // a session was created
	Renewed                 // its token was replaced: a login, or another change of privilege
	Ended                   // it is gone, for the event's Reason
	Missed                  // events were lost: code that follows sessions has to list them anew
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case Created:
		return "created"
	case Renewed:
		return "renewed"
	case Ended:
		return "ended"
	case Missed:
		return "missed"
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// A Reason is why a session ended.
type Reason uint8

const (
	LoggedOut Reason = iota + 1 // by its own visitor
	Revoked                     // by its owner from another session, or by an operator
	Evicted                     // because of a limit: MaxPerOwner, or the store's own
	Expired                     // its idle timeout or its lifetime had passed
)

// String names the reason.
func (r Reason) String() string {
	switch r {
	case LoggedOut:
		return "logged out"
	case Revoked:
		return "revoked"
	case Evicted:
		return "evicted"
	case Expired:
		return "expired"
	}
	return "Reason(" + strconv.Itoa(int(r)) + ")"
}
