package report

import (
	"fmt"
	"runtime"
)

const (
	scs        = "scs"
	scsJSON    = "scs (JSON)"
	cookie     = "gorilla cookie"
	withValue  = "context.WithValue"
	bare       = "bare handler"
	sent       = "untouched, cookie sent"
	notSent    = "untouched, no cookie"
	readOne    = "read one value"
	countOne   = "count one hit"
	newSession = "new session"
	oneOf20    = "read 1 of 20"
	ofValues   = "read one of a session's values"
)

// What stands in the way of some targets, as profiles and the floors of the same runs show it.
const (
	copied = "a middleware that passes a value to its handlers copies net/http's Request, 304 bytes. Ours keeps all that" +
		" it needs beside the copy, in one object of 416 bytes; context.WithValue takes two of 368 together. It also looks" +
		" up the Cookie header before the handler runs, a tenth of the time. A later look would save that, and would crash" +
		" a program whose handler edits its headers while another goroutine asks for the session."
	allocated = "the memory: compare \"allocation\" on the page, which only allocates as much. A process with so little" +
		" else in memory collects its garbage every few milliseconds."
	uncached = "compare context.WithValue on the page, which does nothing else. In a whole server the work of a" +
		" middleware takes two to four times as long as by itself: when a request comes, neither its memory (416 bytes" +
		" untouched, 800 for a read, 1,088 for a hit) nor its code is in the processor's caches."
	replaced = uncached + " A quarter of a hit is its commit, and half of that the new record: records never change, so" +
		" that a read copies nothing and never waits. To change them in place would save that, and cost each read a copy."
)

const perMessage = "what is allocated is the message's own, and all its deliveries share it: its place in the log," +
	" the call of its handler, its frame. A delivery itself allocates nothing, which a test holds."

// targets were set before anything was measured.
var targets = []target{
	allocations("untouched, cookie sent: allocations", sent, 1),
	notSlower("untouched, cookie sent: time, by context.WithValue's", sent, withValue, 1),
	faster("untouched, cookie sent: scs's time, by ours", sent, scs, 30, 0),
	allocations("untouched, no cookie: allocations", notSent, 1),
	notSlower("untouched, no cookie: time, by context.WithValue's", notSent, withValue, 1),
	faster("untouched, no cookie: scs's time, by ours", notSent, scs, 1.5, 0),
	faster("read one value: scs's time, by ours", readOne, scs, 10, 20),
	faster("read one value: time of scs (JSON), by ours", readOne, scsJSON, 1.5, 3),
	allocations("read one value, cookie seen before: allocations", readOne, 2),
	faster("count one hit: scs's time, by ours", countOne, scs, 10, 15),
	faster("count one hit: time of scs (JSON), by ours", countOne, scsJSON, 3, 0),
	faster("count one hit: time of gorilla cookie, by ours", countOne, cookie, 12, 0),
	faster("new session: scs's time, by ours", newSession, scs, 1.5, 3),
	faster("read 1 of 20: scs's time, by ours", oneOf20, scs, 15, 30),
	faster("read 1 of 20: time of scs (JSON), by ours", oneOf20, scsJSON, 5, 10),
	{
		text: "read 1 of 1,000 values: time, by that of 10", part: "growth", work: ofValues, unit: "ns",
		contender: ours, parameter: 1000, against: ours, againstParameter: 10, atMost: 100,
	},
	{
		text: "read on two cores: speed-up", part: "parallel", work: fmt.Sprintf("speed-up on %d cores", runtime.NumCPU()),
		unit: "×", contender: ours, atLeast: 1.7, obstacle: allocated,
	},
	{
		text: "heap a session, a million of 3 small values", part: "memory", work: "heap a session", unit: "bytes",
		contender: ours, parameter: 1_000_000, atMost: 250,
	},
	{
		text: "longest wait of a reader while half of a million end", part: "memory", work: "longest wait during expiry",
		unit: "µs", contender: ours, parameter: 1_000_000, atMost: 2000,
	},
	throughput("over loopback, untouched: requests a second, by the bare handler's", "untouched", 0.97, uncached),
	throughput("over loopback, read: requests a second, by the bare handler's", readOne, 0.85, uncached),
	throughput("over loopback, hit: requests a second, by the bare handler's", countOne, 0.85, replaced),
	overSCS("over loopback, untouched: requests a second, by scs's", "untouched"),
	overSCS("over loopback, read: requests a second, by scs's", readOne),
	overSCS("over loopback, hit: requests a second, by scs's", countOne),
	overPgx("PostgreSQL, load, 1 goroutine: time, by a bare query's", "load", 1, 1/0.9),
	overPgx("PostgreSQL, load, 16 goroutines: time, by a bare query's", "load", 16, 1/0.9),
	overPgx("PostgreSQL, commit of one value, 1 goroutine: time, by a bare UPDATE's", "set one of five", 1, 1.15),
	overPgx("PostgreSQL, commit of one value, 16 goroutines: time, by a bare UPDATE's", "set one of five", 16, 1.15),
	overCoder("idle socket: resident memory, by coder/websocket's", "memory of an idle socket: resident", "KB", 0.5),
	overCoder("echo: processor time, by coder/websocket's", "echo: processor time", "µs", 1.3),
	overCoder("delivery: processor time, by that of coder/websocket's Write", "delivery to one of many: processor time",
		"µs", 0.85),
	{
		text: "delivery: bytes allocated", part: "live", work: "delivery to one of many: allocated", unit: "bytes",
		contender: ours, atMost: 1, obstacle: perMessage,
	},
}

func allocations(text, work string, most float64) target {
	return target{text: text, part: "request", work: work, unit: "allocations", contender: ours, atMost: most}
}

func notSlower(text, work, than string, most float64) target {
	return target{
		text: text, part: "request", work: work, unit: "ns", contender: ours, against: than, atMost: most, obstacle: copied,
	}
}

func faster(text, work, than string, least, stretch float64) target {
	return target{
		text: text, part: "request", work: work, unit: "ns", contender: than, against: ours,
		atLeast: least, stretch: stretch,
	}
}

func throughput(text, work string, least float64, obstacle string) target {
	return target{
		text: text, part: "loopback", work: work, unit: "requests/s", contender: ours, against: bare,
		atLeast: least, obstacle: obstacle,
	}
}

func overSCS(text, work string) target {
	return target{text: text, part: "loopback", work: work, unit: "requests/s", contender: ours, against: scs, atLeast: 2}
}

func overPgx(text, work string, goroutines int, most float64) target {
	return target{
		text: text, part: "database", work: work, unit: "µs", contender: ours, parameter: goroutines,
		against: "bare pgx", againstParameter: goroutines, atMost: most,
	}
}

func overCoder(text, work, unit string, most float64) target {
	return target{
		text: text, part: "live", work: work, unit: unit, contender: ours, against: "coder/websocket", atMost: most,
	}
}
