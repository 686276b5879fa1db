package e2e

import "testing"

func nodeKilled(t *testing.T) result                   { return result{} }
func clocksDiffer(t *testing.T) result                 { return result{} }
func clientsAndPanics(t *testing.T) result             { return result{} }
func parallelRequests(t *testing.T) result             { return result{} }
func rollingRestart(t *testing.T) result               { return result{} }
func report(faults []fault, results [][]result) string { return "" }
