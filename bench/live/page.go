package main

import (
	"fmt"
	"slices"
	"strings"
)

// page writes the results as Markdown.
func page(p plan, results []result) string {
	var b strings.Builder
	b.WriteString("# Live sockets\n\n")
	fmt.Fprintf(&b, "Medians of %d rounds; what is measured is the server alone, in a process of its own on one core. ",
		p.rounds)
	fmt.Fprintf(&b, "%d idle sockets, with a session each where there are sessions; "+
		"echoes of 100 bytes to %d sockets at a time; "+
		"messages of 100 bytes to %d sockets; %d readers that stop, and get no further than %d messages of %d KB back.\n\n",
		p.idle, p.echoers, p.listeners, p.stopped, p.behind, p.size>>10)
	b.WriteString("`session/live` numbers and keeps each message, and is told how far a client got; " +
		"the others send and forget.\n\n")
	b.WriteString("| |")
	for _, c := range contenders {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	fmt.Fprintf(&b, " %s ÷ %s |\n|---|%s\n", ours, coder, strings.Repeat("---:|", len(contenders)+1))
	for _, work := range worksOf(results) {
		fmt.Fprintf(&b, "| %s |", work)
		for _, c := range contenders {
			r := find(results, work, c.name)
			fmt.Fprintf(&b, " %.3g %s |", median(r.rounds), r.unit)
		}
		fmt.Fprintf(&b, " %s |\n", ratio(median(find(results, work, ours).rounds), median(find(results, work, coder).rounds)))
	}
	return b.String()
}

func ratio(a, b float64) string {
	if b <= 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", a/b)
}

// worksOf returns the names of the works, in the order in which they were measured.
func worksOf(results []result) (names []string) {
	for _, r := range results {
		if !slices.Contains(names, r.work) {
			names = append(names, r.work)
		}
	}
	return names
}

func find(results []result, work, contender string) result {
	at := slices.IndexFunc(results, func(r result) bool { return r.work == work && r.contender == contender })
	return results[at]
}

func median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
