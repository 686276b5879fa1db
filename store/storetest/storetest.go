// Package storetest holds the rules of package store as tests. A store that passes them can serve a
// session.Manager, wherever it keeps its records:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store {
//			s, err := mystore.Open(t.Context(), address)
//			if err != nil {
//				t.Fatal(err)
//			}
//			t.Cleanup(s.Close)
//			return s
//		})
//	}
//
// # What a store needs
//
// Each rule is a subtest with one sentence, which is printed when the rule fails. The optional interfaces of package
// store are found by assertion; where a store lacks one, the rules for it are skipped.
//
// The store uses its own clock. Rules about time take some hundreds of milliseconds each. They fail only where the
// store is certainly wrong: on a slow machine they take longer, but don't fail. Where the machine or the store is too
// slow to test a rule, the rule is skipped; with CI=true in the environment it fails instead. A store whose time is not
// time.Now has to implement [store.Clock], and its clock has to move by itself.
//
// The store may be shared with other tests and hold other records. Every rule uses random tokens, IDs and owners, and
// ends the sessions that it made.
package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/lazysession/session/store"
)

// Run tests every rule on a store. It calls open once for each rule, with that rule's own test, so that open may clean
// up with t.Cleanup. Open may return the same store each time.
func Run(t *testing.T, open func(*testing.T) store.Store) {
	t.Helper()
	for _, r := range allRules() {
		t.Run(r.name, func(t *testing.T) { r.run(t, open(t)) })
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
		createRules, endRules, editRules, addRules, valueRules, recordRules, versionRules, ifValueRules, touchRules,
		renewRules, unseenRules, expiryRules, ownerRules, limitRules, listRules, checkRules, watchRules, serviceRules,
		concurrencyRules,
	)
}

// patience is how long a rule may take before its context ends. On a slow machine some rules try again with
// timeouts of up to 10 seconds.
const patience = 5 * time.Minute

func (r rule) run(t *testing.T, s store.Store) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the rule: %s", r.says)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r.check(&probe{T: t, store: s, ctx: ctx})
}
