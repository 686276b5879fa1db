// Command bench measures this library beside those that a user would pick instead, and writes what it measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"time"

	"github.com/lazysession/session/bench/loopback"
	"github.com/lazysession/session/bench/report"
)

func main() {
	loopback.Main()
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

// run writes a report of what could be measured, also where a part failed.
func run(ctx context.Context, o options) error {
	start := time.Now()
	samples, failed := measure(ctx, o, start)
	if len(samples) == 0 {
		return errors.Join(failed, errNothing)
	}
	r := report.Report{
		Samples: samples,
		Machine: report.ThisMachine(),
		Date:    start,
		Took:    time.Since(start),
		Command: o.command(),
	}
	return errors.Join(failed, r.Write(o.out))
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
