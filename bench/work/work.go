package work

// A work is what is timed: one request, again and again.
type work struct {
	name   string
	task   task
	values int  // that the session has
	fresh  bool // each request comes without a cookie
}

var requests = []work{
	{name: "untouched, no cookie", task: touchNothing, fresh: true},
	{name: "untouched, cookie sent", task: touchNothing, values: 1},
	{name: "read one value", task: readOne, values: 1},
	{name: "count one hit", task: countHit, values: 1},
	{name: "new session", task: fill, values: 1, fresh: true},
	{name: "read 1 of 20", task: readOne, values: 20},
	{name: "write 1 of 20", task: writeOne, values: 20},
	{name: "login", task: logIn, values: 1},
}
