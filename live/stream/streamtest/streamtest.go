// Package streamtest holds the rules of package stream as tests. A log that passes them can serve a live.Hub, wherever
// it keeps its streams:
//
//	func TestLog(t *testing.T) {
//		streamtest.Run(t, func(t *testing.T) stream.Log {
//			l, err := mylog.Open(t.Context(), address)
//			if err != nil {
//				t.Fatal(err)
//			}
//			return l
//		})
//	}
//
// Each rule is a subtest with one sentence, which is printed when the rule fails. A log that keeps an archive is also
// tested by [RunArchive].
//
// # What a log needs
//
// Each rule opens a log of its own and closes it in the end. The log may share its place with others: every rule uses
// random IDs, sessions and names of channels, and removes what it made.
//
// The log uses its own clock; one whose time is not time.Now has to implement stream.Clock. Rules fail only where the
// log is certainly wrong: they wait as long as a slow machine needs, and several hints may come as one.
package streamtest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/lazysession/session/live/stream"
)

// Run tests every rule on a log, but for those about archives. It calls open once for each rule, with that rule's own
// test. The rule closes the log.
func Run(t *testing.T, open func(*testing.T) stream.Log) {
	t.Helper()
	for _, r := range allRules() {
		t.Run(r.name, func(t *testing.T) {
			r.run(t, func(p *probe) { p.use(open(t)) })
		})
	}
}

// RunArchive tests the rules about archives. It calls open once for each rule. That returns a log, and a function that
// opens the log again from the archive that its Close has kept.
func RunArchive(t *testing.T, open func(*testing.T) (l stream.Log, reopen func() stream.Log)) {
	t.Helper()
	for _, r := range archiveRules {
		t.Run(r.name, func(t *testing.T) {
			r.run(t, func(p *probe) {
				l, reopen := open(t)
				p.use(l)
				p.reopen = reopen
			})
		})
	}
}

// A rule is one promise of the contract.
type rule struct {
	name  string
	says  string // the promise, in one sentence
	check func(*probe)
}

func allRules() []rule {
	return slices.Concat(
		takeRules, commitRules, sendRules, readRules, numberRules, awayRules, endRules, channelRules, stateRules, holdRules,
		listRules, watchRules, serviceRules, concurrencyRules,
	)
}

// patience is how long a rule may take before its context ends. It is a variable, since this package's own tests have
// logs that hang on purpose.
var patience = 5 * time.Minute

func (r rule) run(t *testing.T, setup func(*probe)) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the rule: %s", r.says)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := &probe{T: t, ctx: ctx}
	setup(p)
	r.check(p)
}
