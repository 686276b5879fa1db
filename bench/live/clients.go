package live

import (
	"errors"
	"sync"
)

// dialAll opens sockets, some at a time.
func (t turn) dialAll(path string, n int) (all []*client, hangUp func(), err error) {
	all = make([]*client, n)
	errs := make([]error, n)
	hangUp = func() {
		for _, c := range all {
			if c != nil {
				c.conn.Close()
			}
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range all {
		slots <- struct{}{}
		wg.Go(func() {
			all[i], errs[i] = t.dial(path)
			<-slots
		})
	}
	wg.Wait()
	return all, hangUp, errors.Join(errs...)
}

// forAll runs f for all clients at the same time.
func forAll(all []*client, f func(c *client) error) error {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, c := range all {
		wg.Go(func() { errs[i] = f(c) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
