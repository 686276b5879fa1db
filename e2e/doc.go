// Package e2e tests the forum's own process from outside: as people with a browser see it, through its stop, and under
// load. The binary is built with the race detector, and whatever it finds fails the test that was running.
package e2e
