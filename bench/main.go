// Command bench measures this library beside those that a user would pick instead, and writes what it measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"regexp"
	"time"

	"github.com/lazysession/session/bench/child"
	"github.com/lazysession/session/bench/live"
	"github.com/lazysession/session/bench/measure"
	"github.com/lazysession/session/bench/report"
	"github.com/lazysession/session/bench/stores"
	"github.com/lazysession/session/bench/work"
)

func main() {
	sites := work.Sites()
	maps.Copy(sites, live.Sites())
	child.Main(sites)
	o := parseOptions()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	short bool
	out   string
	only  *regexp.Regexp
}

func parseOptions() options {
	o := options{only: regexp.MustCompile("")}
	flag.BoolVar(&o.short, "short", false, "two minutes instead of fifteen: fewer and shorter rounds, fewer sessions")
	flag.StringVar(&o.out, "out", "../docs/benchmarks", "the `folder` to write the report into")
	flag.Func("only", "measure and report only the parts whose name matches this `regexp`", func(s string) (err error) {
		o.only, err = regexp.Compile(s)
		return err
	})
	flag.Parse()
	return o
}

// parts are the pages of the report.
var parts = []struct {
	name    string
	measure func(context.Context, *measure.Run) error
}{
	{"request", work.Request},
	{"parallel", work.Parallel},
	{"exactness", work.Exactness},
	{"growth", work.Growth},
	{"memory", stores.Memory},
	{"loopback", work.Loopback},
	{"database", stores.Database},
	{"live", live.Run},
}

// run writes a report of what could be measured, also where a part failed: the time of the others wasn't spent for
// nothing.
func run(ctx context.Context, o options) error {
	start := time.Now()
	m := &measure.Run{Effort: measure.Full, Log: logger(start)}
	if o.short {
		m.Effort = measure.Brief
	}
	var failed error
	for _, p := range parts {
		if !o.only.MatchString(p.name) {
			continue
		}
		before := len(m.Samples)
		if err := p.measure(ctx, m); err != nil {
			failed = errors.Join(failed, err)
			m.Samples = m.Samples[:before]
		}
	}
	if len(m.Samples) == 0 {
		return errors.Join(failed, errNothing)
	}
	r := report.Report{
		Samples: m.Samples,
		Machine: report.ThisMachine(),
		Date:    start,
		Took:    time.Since(start),
		Command: o.command(),
	}
	return errors.Join(failed, r.Write(o.out))
}

// logger says on standard error what is being measured, and since when the program runs.
func logger(start time.Time) func(format string, args ...any) {
	return func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
}

var errNothing = errors.New("nothing was measured")

// command returns how to repeat the run: where it is written to makes no difference.
func (o options) command() string {
	if only := o.only.String(); only != "" {
		return fmt.Sprintf("go run .%s -only '%s'", when(o.short, " -short"), only)
	}
	return "make bench" + when(o.short, " SHORT=1")
}

func when(on bool, text string) string {
	if on {
		return text
	}
	return ""
}
