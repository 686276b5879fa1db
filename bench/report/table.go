package report

import (
	"strings"

	"github.com/lazysession/session/bench/measure"
)

// tables returns what was measured of one work: allocations and bytes beside the time, other units on their own.
func tables(s set) string {
	var b strings.Builder
	extra := extras(s)
	for _, unit := range s.units() {
		switch {
		case len(extra) > 0 && unit != "ns":
		case s.grows():
			b.WriteString(growthTables(s.unit(unit)))
		default:
			b.WriteString(table(s.unit(unit), extra) + "\n")
		}
	}
	return b.String()
}

// extras are the samples that get columns beside the time.
func extras(s set) []set {
	if len(s.unit("ns")) == 0 || len(s.unit("allocations")) == 0 {
		return nil
	}
	return []set{s.unit("allocations"), s.unit("bytes")}
}

func table(s set, extra []set) string {
	titles := []string{"", "ratio", "median", "min – max"}
	if len(extra) > 0 {
		titles = append(titles, "allocations", "bytes")
	}
	notes := hasNotes(s)
	if notes {
		titles = append(titles, "")
	}
	var b strings.Builder
	b.WriteString(head(titles...))
	for _, contender := range s.contenders() {
		b.WriteString(tableRow(s, extra, contender, notes))
	}
	return b.String()
}

func tableRow(s set, extra []set, contender string, notes bool) string {
	one := s.of(contender)
	cells := []string{contender, formatRatio(cost(one, s.of(ours))), formatMedian(one), formatSpread(one)}
	for _, e := range extra {
		cells = append(cells, formatMedian(e.of(contender)))
	}
	if notes {
		cells = append(cells, one.Note)
	}
	return row(cells...)
}

func hasNotes(s set) bool {
	return len(s.where(func(one measure.Sample) bool { return one.Note != "" })) > 0
}

// growthTables returns the ratios, and then the figures.
func growthTables(s set) string {
	if isShare(s[0].Unit) {
		return growthTable(s, medianCell) + "\n"
	}
	ratios := growthTable(s, func(at set, contender string) string {
		return formatRatio(cost(at.of(contender), at.of(ours)))
	})
	figures := growthTable(s, medianCell)
	spreads := growthTable(s, func(at set, contender string) string {
		return formatSpread(at.of(contender))
	})
	return ratios + "\nMedians:\n\n" + figures + "\nMinimum and maximum:\n\n" + spreads + "\n"
}

func medianCell(at set, contender string) string { return formatMedian(at.of(contender)) }

func growthTable(s set, cell func(at set, contender string) string) string {
	titles := []string{parameters[s[0].Part]}
	for _, n := range s.parameters() {
		titles = append(titles, thousands(float64(n)))
	}
	var b strings.Builder
	b.WriteString(head(titles...))
	for _, contender := range s.contenders() {
		cells := []string{contender}
		for _, n := range s.parameters() {
			cells = append(cells, cell(s.parameter(n), contender))
		}
		b.WriteString(row(cells...))
	}
	return b.String()
}

// overview returns the ratios of several works in one table.
func overview(s set) string {
	s = s.where(isComparable)
	if len(s.works()) < 2 || s.grows() {
		return ""
	}
	var b strings.Builder
	b.WriteString(head(append([]string{""}, s.contenders()...)...))
	for _, work := range s.works() {
		cells := []string{work}
		for _, contender := range s.contenders() {
			cells = append(cells, formatRatio(cost(s.work(work).of(contender), s.work(work).of(ours))))
		}
		b.WriteString(row(cells...))
	}
	return b.String() + "\n"
}
