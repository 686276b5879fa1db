package measure

import "time"

// An Effort says how much is measured.
type Effort struct {
	Rounds   int           // of requests in this process
	Round    time.Duration // that one contender's requests fill
	Turns    int           // rounds over a network and in a database, whose speed varies from moment to moment
	Fills    int           // rounds of works that begin with filling a store or opening many sockets
	Sessions int           // the most that a store holds
	Hits     int           // that eight clients count at once
	Window   time.Duration // for which the waits of readers are measured
	Each     int           // operations of each goroutine in one turn in a database
	Sockets  int           // that are open at the same time
	Messages int           // that a socket gets
}

// Full takes a quarter of an hour, and Brief two minutes.
var (
	Full = Effort{
		Rounds: 31, Round: 10 * time.Millisecond, Turns: 24, Fills: 3, Sessions: 1_000_000, Hits: 2000,
		Window: time.Second, Each: 100, Sockets: 3000, Messages: 2000,
	}
	Brief = Effort{
		Rounds: 5, Round: 5 * time.Millisecond, Turns: 3, Fills: 2, Sessions: 100_000, Hits: 400,
		Window: time.Second / 2, Each: 100, Sockets: 300, Messages: 500,
	}
)
