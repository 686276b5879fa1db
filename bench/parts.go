package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lazysession/session/bench/database"
	"github.com/lazysession/session/bench/loopback"
	"github.com/lazysession/session/bench/memory"
	"github.com/lazysession/session/bench/sample"
	"github.com/lazysession/session/bench/work"
)

// A part measures what one page of the report shows.
type part struct {
	name string
	run  func(ctx context.Context, short bool, log func(format string, args ...any)) ([]sample.Sample, error)
}

var parts = []part{
	{"request", work.Requests},
	{"parallel", work.Parallel},
	{"exactness", work.Exactness},
	{"growth", work.Growth},
	{"memory", memory.Run},
	{"loopback", loopback.Run},
	{"database", database.Run},
}

var errNoPart = errors.New("-only matches no part")

func measure(ctx context.Context, o options, start time.Time) ([]sample.Sample, error) {
	var all []sample.Sample
	for _, p := range parts {
		if !o.only.MatchString(p.name) {
			continue
		}
		samples, err := p.run(ctx, o.short, logger(p.name, start))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		all = append(all, samples...)
	}
	if len(all) == 0 {
		return nil, errNoPart
	}
	return all, nil
}

// logger says on standard error what is being measured, and since when the program runs.
func logger(part string, start time.Time) func(format string, args ...any) {
	return func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%4.0f s  %s: %s\n", time.Since(start).Seconds(), part, fmt.Sprintf(format, args...))
	}
}
