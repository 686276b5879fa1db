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

// measure goes on after a part that failed, so that the time of the others wasn't spent for nothing.
func measure(ctx context.Context, o options, start time.Time) ([]sample.Sample, error) {
	var all []sample.Sample
	var failed error
	for _, p := range parts {
		if !o.only.MatchString(p.name) {
			continue
		}
		samples, err := p.run(ctx, o.short, logger(start))
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		all = append(all, samples...)
	}
	return all, failed
}

// logger says on standard error what is being measured, and since when the program runs.
func logger(start time.Time) func(format string, args ...any) {
	return func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
}
