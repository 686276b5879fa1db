package loopback

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// ErrNoGenerator is returned where the load generator is missing.
var ErrNoGenerator = errors.New("the load generator wrk is missing. On Debian: apt-get install wrk")

// A generator sends requests as fast as they are answered.
type generator struct {
	program string
	flags   []string
}

func newGenerator(p plan) (*generator, error) {
	program, err := exec.LookPath("wrk")
	if err != nil {
		return nil, ErrNoGenerator
	}
	return &generator{program, []string{
		"--latency", "--threads=1",
		"--connections=" + strconv.Itoa(p.connections),
		"--duration=" + strconv.Itoa(p.seconds) + "s",
	}}, nil
}

func (g *generator) fire(ctx context.Context, url, cookie string) (load, error) {
	args := append(g.flags[:len(g.flags):len(g.flags)], "--header=Cookie: "+cookie, url)
	out, err := onCore(ctx, generatorCore, g.program, args...).CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	return parse(string(out))
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
