// Package sample has the one thing that every part of the benchmarks hands to the report.
package sample

// A Sample is what one contender took for one kind of work: a figure for each round. The contenders of one kind of work
// took turns within each round, so that figures of the same round can be compared.
type Sample struct {
	Part      string    // of the report: "request", "growth", "memory", "loopback", "database"
	Work      string    // "count one hit"
	Contender string    // "session", "scs (JSON)"
	Unit      string    // "ns", "bytes", "requests/s", "allocations", …
	Rounds    []float64 // empty where the contender can't do the work
	Note      string    // why it can't, or what is to be known of the figure
	Parameter int       // what the cost grows with (values, sessions, goroutines); 0 where nothing does
}

// Ours is the contender that others are compared with.
const Ours = "session"
