package e2e

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const reportHead = `# Faults

Written by ` + "`make faults`" +
	`, which puts three servers on one PostgreSQL under load, causes a fault, and then checks
that everything that was acknowledged is there: counters, values, lists, and the ends of sessions.

The gap is the time from the kill, the return of the store or the promotion until every server has answered a request
successfully. Lost is the number of acknowledged operations that were missing in the end, or were undone.

| fault | promise | gap: median | gap: worst | runs | acknowledged | lost |
| --- | --- | ---: | ---: | ---: | ---: | ---: |
`

const reportTail = `
The check can fail: a test with ` + "`synchronous_commit = off`" +
	` and a crash, where the database may lose commits, makes sure
that it finds the lost ones.
`

// report is a table with a row for each fault.
func report(faults []fault, results [][]result) string {
	var b strings.Builder
	b.WriteString(reportHead)
	for i, f := range faults {
		b.WriteString(f.row(results[i]))
	}
	b.WriteString(reportTail)
	return b.String()
}

func (f fault) row(results []result) string {
	if len(results) == 0 {
		return fmt.Sprintf("| %s | %s | not run here | | | | |\n", f.name, f.promise)
	}
	var gaps []time.Duration
	var all verdict
	for _, r := range results {
		gaps = append(gaps, r.gap)
		all.add(r.verdict)
	}
	slices.Sort(gaps)
	median, worst := "–", "–"
	if f.within > 0 {
		median, worst = inMilliseconds(gaps[len(gaps)/2]), inMilliseconds(gaps[len(gaps)-1])
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %d | %d | %d |\n",
		f.name, f.promise, median, worst, len(results), all.acknowledged, all.lost)
}

func inMilliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
