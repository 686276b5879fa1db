package stores

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
)

// peer does with a store of scs what its SessionManager does, with its default codec.
type peer struct {
	store  scs.Store
	codec  scs.GobCodec
	values []value // of each session
}

var errNotFound = errors.New("a live session is not found")

func (p peer) name() string { return "scs" }

// A count of scs is a load, an addition in the program and a store of all: what was stored in between is lost.
func (p peer) exact() bool { return false }

// filled returns the values of the n-th session as it was made.
func (p peer) filled(n int) map[string]any {
	all := map[string]any{"user": user(n)}
	for _, v := range p.values {
		all[v.name] = v.of
	}
	return all
}

func (p peer) put(_ context.Context, n int, ends time.Time) error {
	data, err := p.codec.Encode(ends, p.filled(n))
	if err != nil {
		return err
	}
	return p.store.Commit(scsToken(n), data, ends)
}

func (p peer) find(token string) ([]byte, error) {
	data, found, err := p.store.Find(token)
	if err == nil && !found {
		err = errNotFound
	}
	return data, err
}

func (p peer) reader(sessions []int) func(i int) error {
	tokens := make([]string, len(sessions))
	for i, n := range sessions {
		tokens[i] = scsToken(n)
	}
	return func(i int) error {
		_, err := p.find(tokens[i])
		return err
	}
}

func (p peer) decoded(n int) (map[string]any, error) {
	data, err := p.find(scsToken(n))
	if err != nil {
		return nil, err
	}
	_, all, err := p.codec.Decode(data)
	return all, err
}

func (p peer) commit(n int, all map[string]any) error {
	now := time.Now()
	data, err := p.codec.Encode(now.Add(24*time.Hour), all)
	if err != nil {
		return err
	}
	return p.store.Commit(scsToken(n), data, now.Add(time.Hour))
}

func (p peer) load(_ context.Context, n int) error {
	_, err := p.decoded(n)
	return err
}

func (p peer) set(_ context.Context, n int) error {
	all := p.filled(n) // as a load before left them
	all["lang"] = "de"
	return p.commit(n, all)
}

// touch stores all values anew: scs does so in each request where an idle timeout is set.
func (p peer) touch(_ context.Context, n int) error { return p.commit(n, p.filled(n)) }

func (p peer) count(_ context.Context, n int) error {
	all, err := p.decoded(n)
	if err != nil {
		return err
	}
	hits, _ := all["hits"].(int)
	all["hits"] = hits + 1
	return p.commit(n, all)
}

func (p peer) value(_ context.Context, n int, name string) (string, error) {
	all, err := p.decoded(n)
	return fmt.Sprint(all[name]), err
}
