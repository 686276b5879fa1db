package stores

import (
	"context"
	"fmt"
	"strconv"
)

// A work is one kind of operation on the n-th session.
type work struct {
	name  string
	do    func(c contender, ctx context.Context, n int) error
	check func(ctx context.Context, c contender, n int, do func() error) error // calls do and looks at what it has done
}

var works = []work{
	{"load", contender.load, loads},
	{"set one of five", contender.set, sets},
	{"touch", contender.touch, touches},
	{"load and count one hit", contender.count, counts},
}

func loads(ctx context.Context, c contender, n int, do func() error) error {
	if err := do(); err != nil {
		return err
	}
	return wantValue(ctx, c, n, "theme", "dark")
}

func sets(ctx context.Context, c contender, n int, do func() error) error {
	if err := wantValue(ctx, c, n, "lang", "en"); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return wantValue(ctx, c, n, "lang", "de")
}

func wantValue(ctx context.Context, c contender, n int, name, want string) error {
	got, err := c.value(ctx, n, name)
	if err == nil && got != want {
		err = fmt.Errorf("%s is %q, want %q", name, got, want)
	}
	return err
}

func touches(ctx context.Context, c contender, n int, do func() error) error {
	before, err := c.ends(ctx, n)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	after, err := c.ends(ctx, n)
	if err == nil && !after.After(before) {
		err = fmt.Errorf("it ends at %v, as before", after)
	}
	return err
}

func counts(ctx context.Context, c contender, n int, do func() error) error {
	before, err := hits(ctx, c, n)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	after, err := hits(ctx, c, n)
	if err == nil && after != before+1 {
		err = fmt.Errorf("hits after one more than %d are %d", before, after)
	}
	return err
}

func hits(ctx context.Context, c contender, n int) (int, error) {
	v, err := c.value(ctx, n, "hits")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(v)
}
