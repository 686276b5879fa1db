// Command bench measures this library beside those that a user would pick instead, and writes what it measured.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
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

func run(ctx context.Context, o options) error {
	start := time.Now()
	samples, err := measure(ctx, o, start)
	if err != nil {
		return err
	}
	r := report.Report{
		Samples: samples,
		Machine: report.ThisMachine(),
		Date:    start,
		Took:    time.Since(start),
		Command: command(),
	}
	return r.Write(o.out)
}

// command returns how to repeat the run, in the folder of this program.
func command() string {
	return strings.Join(append([]string{"go run ."}, os.Args[1:]...), " ")
}
