// Command live measures live sockets beside bare coder/websocket and a hub of gorilla/websocket, and writes a page of
// what it measured. Each contender is a server in a process of its own, so that its memory and processor time are the
// server's alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"time"

	"github.com/lazysession/session/bench/child"
)

func main() {
	child.Main(serve)
	short := flag.Bool("short", false, "some seconds instead of a minute: fewer sockets, messages and rounds")
	out := flag.String("out", "../docs/benchmarks/live.md", "the `file` to write the page to; - is the standard output")
	only := flag.String("only", "", "measure only the works whose name matches this `regexp`: idle, echo, fan, stopped")
	rounds := flag.Int("rounds", 0, "how many rounds; 0: as many as planned")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	plan := planOf(*short)
	plan.only = regexp.MustCompile(*only)
	if *rounds > 0 {
		plan.rounds = *rounds
	}
	if err := report(ctx, plan, *out); err != nil {
		fmt.Fprintln(os.Stderr, "live:", err)
		os.Exit(1)
	}
}

func report(ctx context.Context, p plan, out string) error {
	began := time.Now()
	results, err := p.run(ctx, func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	})
	if err != nil {
		return err
	}
	text := page(p, results)
	if out == "-" {
		_, err = os.Stdout.WriteString(text)
		return err
	}
	return os.WriteFile(out, []byte(text), 0o644)
}
