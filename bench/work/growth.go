package work

import (
	"context"

	"github.com/lazysession/session/bench/sample"
)

// Growth measures how the cost of reading one value grows with what is around it.
func Growth(ctx context.Context, short bool, log func(format string, args ...any)) ([]sample.Sample, error) {
	return measureGrowth(ctx, effortOf(short), log)
}

func measureGrowth(ctx context.Context, e effort, log func(string, ...any)) ([]sample.Sample, error) {
	var all []sample.Sample
	for _, grow := range []func(context.Context, match, func(string, ...any)) ([]sample.Sample, error){
		growValues, growGoroutines, growSessions,
	} {
		samples, err := grow(ctx, match{effort: e, part: "growth"}, log)
		if err != nil {
			return nil, err
		}
		all = append(all, samples...)
	}
	return all, nil
}

func growValues(ctx context.Context, m match, log func(string, ...any)) ([]sample.Sample, error) {
	var all []sample.Sample
	for _, m.parameter = range []int{1, 10, 100, 1000} {
		log("growth: read 1 of %d values", m.parameter)
		w := work{name: "read one of a session's values", task: readOne, values: m.parameter}
		samples, err := m.compete(ctx, w, peers, 1)
		if err != nil {
			return nil, err
		}
		all = append(all, samples...)
	}
	return all, nil
}

func growGoroutines(ctx context.Context, m match, log func(string, ...any)) ([]sample.Sample, error) {
	var all []sample.Sample
	for _, m.parameter = range []int{1, 2, 4, 8, 16, 32, 64} {
		log("growth: read by %d goroutines", m.parameter)
		w := work{name: "read by so many goroutines", task: readOne, values: 1}
		samples, err := m.compete(ctx, w, peers, m.parameter)
		if err != nil {
			return nil, err
		}
		all = append(all, samples...)
	}
	return all, nil
}
