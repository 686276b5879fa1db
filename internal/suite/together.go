// Package suite has what the suites of rules for stores and for logs share.
package suite

import (
	"cmp"
	"sync"
)

// Together runs f in n goroutines that start at once, waits for all, and returns the error of the first that has one.
func Together(n int, f func(i int) error) error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return cmp.Or(errs...)
}
