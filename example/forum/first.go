package main

import "time"

// firstForums are there from the start.
var firstForums = []Forum{
	{ID: "lobby", Name: "Lobby", About: "Come in, say hello, try things out."},
	{ID: "go", Name: "Go", About: "Handlers, goroutines, and the joy of a fast test run."},
	{ID: "kitchen", Name: "Kitchen", About: "What is cooking, and for how long."},
	{ID: "books", Name: "Books", About: "Read something good? Tell us."},
}

// firstPosts are there from the start, in each forum the oldest first.
var firstPosts = []struct {
	forum  string
	age    time.Duration
	author string
	text   string
}{
	{"lobby", 0, "The caretaker",
		"Welcome! This forum counts your visits in your session, and each forum counts on its own.\n\n" +
			"Open it in a few tabs at once and reload them, or make “20 visits at once”: no visit gets lost. " +
			"Then log in under any name, and look at “Inside”."},
	{"go", 26 * time.Hour, "Mara",
		"Two tabs of mine changed the same session at the same moment, and the older one won. " +
			"How do you keep one request from overwriting what another has saved?"},
	{"go", 25 * time.Hour, "The caretaker",
		"Store what each request did, not what it saw: “add one to the visits”, not “the visits are 7”. " +
			"Then the order does not matter, and nothing gets lost.\n\n" +
			"For everything else there is Key.Update, which tries again when the value has changed meanwhile."},
	{"kitchen", 9 * time.Hour, "Jonas",
		"Bread for people with little time: 500 g of flour, 380 g of water, 10 g of salt, and a little yeast. " +
			"Stir in the evening, fold once, bake in the morning in a hot pot: 30 minutes with the lid, 15 without."},
	{"kitchen", 3 * time.Hour, "Mara",
		"Tried it. Leave the lid on for five minutes longer if your oven is as old as mine."},
	{"books", 50 * time.Hour, "Teo",
		"“The Mythical Man-Month” is half a century old, and its chapter on adding people to a late project " +
			"still hurts. What else has aged this well?"},
	{"books", 49 * time.Hour, "Jonas",
		"“The Little Schemer”. Questions on the left, answers on the right, and at the end you can think in recursion."},
}
