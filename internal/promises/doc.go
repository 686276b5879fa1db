// Package promises tests what package session promises as a whole, from outside, as a program would use it. Tests of
// one file of the package are beside that file. In the order of the promises, the files here are:
//
//	response, refusal, onerror    a response begins after its commit, or says what failed
//	overlooked                    what failed is not overlooked
//	writer, handlers, streams     a response writer stays what it was, below real handlers too
//	races, callbacks              nothing is lost or hangs when requests and the program's own code meet
//	renewal, lostreplies          an old token opens nothing, and a reply of the store that is lost hides nothing
//	tokens, signatures, secrecy   a foreign token opens nothing, and no token shows anywhere
//	severalcookies, nested        several sessions in a request, of one Manager and of several
//	handles                       a handle outlives its request, and opens nothing more than the visitor could
//	caching                       a shared cache keeps no response of a session
//	budget, dependencies          what a request costs, and what a program takes on
package promises
