package report

import "github.com/lazysession/session/bench/sample"

const ours = sample.Ours

// A part is a page of the report, with what a reader is to know first.
type part struct {
	name, title, text string
	parameter         string // what the heads of its tables count, unless the name of the work says it
}

var parts = []part{
	{name: "request", title: "One request after the other", text: `
A request is a call of the library's handler in this process, without a network: what is left is what the library
itself costs. It carries the cookie that the contender gave out before, and the newest one where it gave out another.
The response goes into a writer that keeps the body and costs next to nothing. Each handler answers with four bytes.

The floors are a handler without any middleware, and a middleware that does nothing but
` + "`r.WithContext(context.WithValue(…))`" + `. gorilla has no middleware: a
request whose handler asks for no session costs it nothing. scs runs without the goroutine that removes expired
sessions.`},
	{name: "parallel", title: "On all cores", text: `
The same reading of one value, with Go limited to one core and with all of them. Each core has a client with a session.
The figure is the elapsed time divided by the number of requests, so twice the cores should halve it. The speed-up is
the median on one core divided by the median on all cores.

The last two contenders have no sessions; they show the most that more cores can give on this machine. Arithmetic uses
only the processor: its speed-up is lower where other programs use the cores too. Allocation only allocates memory: its
speed-up is lower because of Go's allocator and garbage collector.`},
	{name: "exactness", title: "Hits that arrive", text: `
Eight clients count hits on one session at the same time. A library that reads the session, changes it and writes all of
it back loses the hits that others wrote in between. This is what had arrived of a hundred in the end.`},
	{name: "growth", title: "How cost grows", text: `
What reading one value costs when there is more around it: other values in the session, other sessions in the store
(each request is of another visitor), other goroutines that read at the same time.`},
	{name: "memory", title: "Many sessions in memory", text: `
The cost of sessions in memory that no request uses, and how long readers of other sessions wait while some expire.`},
	{name: "loopback", title: "Over a network", text: `
Whole requests end to end: a server that has one core, and a load generator on another that sends over a fixed
number of connections. All answer with the same bytes. Contenders without sessions are sent a cookie that is as long
as ours. "context.WithValue" is a bare handler behind a middleware that only adds a value to the request's context.`},
	{name: "database", title: "On PostgreSQL", parameter: "goroutines", text: `
Sessions in a PostgreSQL database on the same machine, which waits for the disk as one in use does.`},
}

// partOf returns the part with that name; one that nobody described has its name for a title.
func partOf(name string) part {
	for _, p := range parts {
		if p.name == name {
			return p
		}
	}
	return part{name: name, title: name}
}

// isComparable picks what an overview compares: time and throughput.
func isComparable(s sample.Sample) bool {
	return s.Unit == "ns" || isRate(s.Unit)
}
