package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/lazysession/session/bench/measure"
)

const none = "–"

func formatRatio(ratio float64) string {
	if math.IsNaN(ratio) || math.IsInf(ratio, 0) {
		return none
	}
	return threeDigits(ratio) + " ×"
}

// threeDigits returns v with as many decimals as its size leaves a meaning to.
func threeDigits(v float64) string {
	switch a := math.Abs(v); {
	case a < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return thousands(v)
	}
}

func thousands(v float64) string {
	digits := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	if v < 0 {
		return "-" + digits
	}
	return digits
}

// formatFigure returns v with its unit. Times get the unit that suits their size.
func formatFigure(v float64, unit string) string {
	if math.IsNaN(v) {
		return none
	}
	nanos, isTime := map[string]float64{"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}[unit]
	switch {
	case isTime:
		return formatTime(v * nanos)
	case strings.HasPrefix(unit, "%"):
		return threeDigits(v) + " " + unit
	case unit == "allocations" || unit == "bytes":
		return count(v)
	}
	return threeDigits(v) + " " + unit
}

// count leaves decimals to what is no whole number of things.
func count(v float64) string {
	if math.Abs(v-math.Round(v)) < 0.05 || v >= 100 {
		return thousands(math.Round(v))
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

func formatTime(nanos float64) string {
	for _, step := range []struct {
		unit  string
		nanos float64
	}{{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}} {
		if nanos >= step.nanos {
			return threeDigits(nanos/step.nanos) + " " + step.unit
		}
	}
	return threeDigits(nanos) + " ns"
}

func formatMedian(s *measure.Sample) string {
	if s == nil {
		return none
	}
	return formatFigure(s.Median(), s.Unit)
}

func formatSpread(s *measure.Sample) string {
	if s == nil || len(s.Rounds) == 0 {
		return none
	}
	return formatFigure(slices.Min(s.Rounds), s.Unit) + " – " + formatFigure(slices.Max(s.Rounds), s.Unit)
}

// row returns a line of a Markdown table.
func row(cells ...string) string {
	return fmt.Sprintf("| %s |\n", strings.Join(cells, " | "))
}

// head returns the head of a table. The first column is of names, and those without a title are of text; all others are
// of figures.
func head(titles ...string) string {
	rules := make([]string, len(titles))
	for i, title := range titles {
		rules[i] = "---:"
		if i == 0 || title == "" {
			rules[i] = "---"
		}
	}
	return row(titles...) + row(rules...)
}
