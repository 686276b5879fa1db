package loopback

// A work is one kind of request.
type work struct {
	name, path string
	answer     func(n int) int // the right answer to a visitor's n-th request of this kind
}

// stored is the value that a visitor's session has from the start.
const stored = 42

var works = []work{
	{"untouched", "/untouched", func(int) int { return stored }},
	{"read one value", "/read", func(int) int { return stored }},
	{"count one hit", "/count", func(n int) int { return n }},
}
