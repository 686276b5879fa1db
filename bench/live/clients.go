package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
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

// members answers with a number.
func members(count func(context.Context) (int, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := count(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, n)
	})
}

// await waits until so many sockets of a path would get a message: they are open a moment before.
func (t turn) await(path string, sockets int) error {
	for began := time.Now(); time.Since(began) < patience; time.Sleep(10 * time.Millisecond) {
		response, err := http.Get("http://" + t.server.Address + path + "/members")
		if err != nil {
			return err
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(text) == strconv.Itoa(sockets) {
			return err
		}
	}
	return fmt.Errorf("not all of %d sockets came to %s within %v", sockets, path, patience)
}
