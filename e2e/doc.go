// Package e2e tests the forum's own process from outside: as people with a browser see it, through its stop, and under
// load. The binary is built with the race detector, and whatever it finds fails the test that was running.
//
// TestFaults puts several servers on one throw-away database under load and lets something happen to them: each of them
// is killed, the database restarts, crashes, hangs, fills up or fails over, clocks differ. Visitors remember what was
// acknowledged to them, and afterwards all of it has to be there. TestFarm does with "make farm" what its users do.
package e2e
