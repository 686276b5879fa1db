package report

import (
	"math"
	"strings"

	"github.com/lazysession/session/bench/measure"
)

// quotient returns the median of a by the median of b, which stand beside it on the page. It is NaN where one of them
// is missing, or is not above 0, as the growth of a heap may be.
func quotient(a, b *measure.Sample) float64 {
	if a == nil || b == nil || a.Median() <= 0 || b.Median() <= 0 {
		return math.NaN()
	}
	return a.Median() / b.Median()
}

// cost returns how many times as much s costs as ours: above 1, ours is better.
func cost(s, ours *measure.Sample) float64 {
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
