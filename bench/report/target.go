package report

import (
	"math"
	"strings"
)

// A target is a ratio or a figure that this library is to reach.
type target struct {
	text string
	part string
	work string
	unit string

	contender string // whose figure it is
	against   string // by whose it is divided; "": the figure itself

	parameter, againstParameter int

	atLeast, atMost float64 // the other is 0
	stretch         float64 // what would be better still; 0: nothing

	obstacle string // what stands in the way where it is not met
}

// A verdict is what a run says of a target.
type verdict struct {
	measured float64 // NaN: it was not measured
	met      bool
	stretch  bool
}

func (t target) judge(s set) verdict {
	v := t.measure(s.part(t.part).unit(t.unit))
	return verdict{v, t.isMet(v, t.atLeast+t.atMost), t.stretch > 0 && t.isMet(v, t.stretch)}
}

func (t target) measure(s set) float64 {
	one := s.work(t.work).parameter(t.parameter).of(t.contender)
	switch {
	case one == nil || len(one.Rounds) == 0:
		return math.NaN()
	case t.against == "":
		return one.Median()
	}
	return quotient(one, s.work(t.work).parameter(t.againstParameter).of(t.against))
}

// isMet overlooks a hundredth above, which is what the runtime allocates meanwhile.
func (t target) isMet(v, want float64) bool {
	if t.unit == "allocations" {
		v -= 0.01
	}
	if t.atMost > 0 {
		return v <= want
	}
	return v >= want
}

func (t target) wanted() string {
	sign := "≥ "
	if t.atMost > 0 {
		sign = "≤ "
	}
	text := sign + t.format(t.atLeast+t.atMost)
	if t.stretch > 0 {
		text += "; better " + t.format(t.stretch)
	}
	return text
}

func (t target) format(v float64) string {
	if t.against != "" {
		return formatRatio(v)
	}
	return formatFigure(v, t.unit)
}

func (v verdict) String() string {
	switch {
	case math.IsNaN(v.measured):
		return "not measured"
	case v.stretch:
		return "met, and the better one"
	case v.met:
		return "met"
	}
	return "**not met**"
}

// obstacles returns what stands in the way of the targets that were measured and not met.
func obstacles(s set, targets []target) string {
	var b strings.Builder
	for _, t := range targets {
		if v := t.judge(s); t.obstacle != "" && !math.IsNaN(v.measured) && !v.met {
			b.WriteString("- " + t.text + " (" + t.format(v.measured) + "): " + t.obstacle + "\n")
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\nWhat stands in the way of those that were not met:\n\n" + b.String()
}

// targetTable returns the targets of the parts that were measured.
func targetTable(s set, targets []target) string {
	var b strings.Builder
	b.WriteString(head("", "target", "measured", ""))
	for _, t := range targets {
		if len(s.part(t.part)) == 0 {
			continue
		}
		v := t.judge(s)
		b.WriteString(row(t.text, t.wanted(), t.format(v.measured), v.String()))
	}
	return b.String()
}
