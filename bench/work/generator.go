package work

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/lazysession/session/bench/child"
)

// ErrNoGenerator is returned where the load generator is missing.
var ErrNoGenerator = errors.New("the load generator wrk is missing. On Debian: apt-get install wrk")

const connections = 16

// A generator sends requests for a second as fast as they are answered.
type generator func(ctx context.Context, url, cookie string) (load, error)

func newGenerator() (generator, error) {
	program, err := exec.LookPath("wrk")
	if err != nil {
		return nil, ErrNoGenerator
	}
	return func(ctx context.Context, url, cookie string) (load, error) {
		out, err := child.Generator(ctx, program, "--latency", "--threads=1", "--duration=1s",
			"--connections="+strconv.Itoa(connections), "--header=Cookie: "+cookie, url).CombinedOutput()
		if err != nil {
			return load{}, fmt.Errorf("wrk: %w\n%s", err, out)
		}
		return parse(string(out))
	}, nil
}

// A load is what the generator found.
type load struct {
	perSecond float64
	p99       float64 // µs
}

var (
	wrong     = regexp.MustCompile(`(Non-2xx|Socket errors).*`)
	perSecond = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	p99       = regexp.MustCompile(`(?m)^\s+99%\s+(\S+)`)
)

// parse reads the generator's report, and refuses one of requests that failed.
func parse(report string) (load, error) {
	if what := wrong.FindString(report); what != "" {
		return load{}, errors.New(what)
	}
	rate, latency := perSecond.FindStringSubmatch(report), p99.FindStringSubmatch(report)
	if rate == nil || latency == nil {
		return load{}, fmt.Errorf("wrk: neither rate nor latency in its report:\n%s", report)
	}
	n, err1 := strconv.ParseFloat(rate[1], 64)
	wait, err2 := time.ParseDuration(latency[1])
	return load{n, float64(wait.Nanoseconds()) / 1000}, errors.Join(err1, err2)
}
