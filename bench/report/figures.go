package report

import (
	"math"
	"slices"
	"strings"

	"github.com/lazysession/session/bench/sample"
)

func median(rounds []float64) float64 {
	sorted := slices.Sorted(slices.Values(rounds))
	switch n := len(sorted); {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return sorted[n/2]
	default:
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
}

// quotient returns a by b: the median of the rounds' quotients, since rounds of the same number were next to each other
// in time. Where the rounds don't pair up, that of the medians.
func quotient(a, b *sample.Sample) float64 {
	if a == nil || b == nil {
		return math.NaN()
	}
	if len(a.Rounds) != len(b.Rounds) {
		return median(a.Rounds) / median(b.Rounds)
	}
	each := make([]float64, len(a.Rounds))
	for i := range each {
		each[i] = a.Rounds[i] / b.Rounds[i]
	}
	return median(each)
}

// cost returns how many times as much s costs as ours: above 1, ours is better.
func cost(s, ours *sample.Sample) float64 {
	if ours == nil || s == nil || isShare(s.Unit) {
		return math.NaN()
	}
	if isRate(s.Unit) {
		return quotient(ours, s)
	}
	return quotient(s, ours)
}

// isRate reports whether more is better.
func isRate(unit string) bool { return strings.HasSuffix(unit, "/s") }

// isShare reports whether the figure is a ratio itself, or of a hundred, so that a ratio of it would say nothing.
func isShare(unit string) bool { return unit == "×" || strings.HasPrefix(unit, "%") }
