package report

import (
	"math"
	"strings"

	"github.com/lazysession/session/bench/sample"
)

// quotient returns the median of a by the median of b, which stand beside it on the page.
func quotient(a, b *sample.Sample) float64 {
	if a == nil || b == nil {
		return math.NaN()
	}
	return a.Median() / b.Median()
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
