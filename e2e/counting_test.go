package e2e

import (
	"slices"
	"testing"
)

// wantEveryNumber fails unless numbers are 1 to n, each once: one that is there twice is a count lost, and so is a gap.
func wantEveryNumber(t *testing.T, what string, numbers []int) {
	t.Helper()
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != i+1 {
			t.Fatalf("%s: got %d in place of %d, want each number from 1 to %d once", what, n, i+1, len(numbers))
		}
	}
}
