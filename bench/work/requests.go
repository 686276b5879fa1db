// Package work measures requests in one process, without a network: this library, those that a user would pick instead,
// and floors that no library can be faster than.
package work

import (
	"context"

	"github.com/lazysession/session/bench/sample"
)

// Requests measures each kind of work, one request after the other.
func Requests(ctx context.Context, short bool, log func(format string, args ...any)) ([]sample.Sample, error) {
	return measureRequests(ctx, effortOf(short), log)
}

func measureRequests(ctx context.Context, e effort, log func(string, ...any)) ([]sample.Sample, error) {
	m := match{effort: e, part: "request"}
	var all []sample.Sample
	for _, w := range requests {
		log("request: %s", w.name)
		samples, err := m.compete(ctx, w, withFloors, 1)
		if err != nil {
			return nil, err
		}
		all = append(all, samples...)
	}
	return all, nil
}
