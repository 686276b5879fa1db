package e2e

import (
	"slices"
	"testing"
)

// wantEveryNumber fails unless the numbers after the given one are there without a gap, each once.
func wantEveryNumber(t *testing.T, what string, after int, numbers []int) {
	t.Helper()
	slices.Sort(numbers)
	for i, n := range numbers {
		if want := after + 1 + i; n != want {
			t.Fatalf("%s: got %d in place of %d, want each number from %d to %d once",
				what, n, want, after+1, after+len(numbers))
		}
	}
}
