// Package promises tests what package session promises as a whole, from outside, as a program would use it. Tests of
// one file of the package are beside that file. In the order of the promises, the files here are:
//
//	response, refusal, overlooked, faults   a response begins after its commit, or says what failed
//	writer, handlers, streams               a response writer stays what it was, below real handlers too
//	races, updates                          requests at the same time lose nothing
//	renewal, tokens, signatures             an old, forged or foreign token opens nothing
//	severalcookies                          two sessions in one request are refused both
//	caching                                 a shared cache keeps no session's response
//	secrecy                                 no token shows anywhere
//	budget, dependencies                    what a request costs, and what a program takes on
package promises
