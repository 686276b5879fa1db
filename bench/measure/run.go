package measure

import (
	"context"
	"slices"
)

// A Run gathers what its parts measure, round by round.
type Run struct {
	Effort
	Log     func(format string, args ...any) // says what is being measured
	Samples []Sample
}

// Add adds the figures of a round to the sample of the same part, work, contender, unit and parameter, which like
// names. Without figures it adds a sample that tells why the contender has none.
func (r *Run) Add(like Sample, figures ...float64) {
	one := r.Find(like)
	if one == nil {
		r.Samples = append(r.Samples, like)
		one = &r.Samples[len(r.Samples)-1]
	}
	one.Rounds = append(one.Rounds, figures...)
}

// Find returns the sample of the same part, work, contender, unit and parameter, or nil.
func (r *Run) Find(like Sample) *Sample {
	at := slices.IndexFunc(r.Samples, func(one Sample) bool {
		return one.Part == like.Part && one.Work == like.Work && one.Contender == like.Contender &&
			one.Unit == like.Unit && one.Parameter == like.Parameter
	})
	if at < 0 {
		return nil
	}
	return &r.Samples[at]
}

// Turns gives each contender its turn in each round, until a turn fails or ctx ends. So whatever slows the machine down
// for a while slows down all of them. The order is turned around after each round, so that nobody always follows the
// same one.
func Turns[C any](ctx context.Context, rounds int, contenders []C, turn func(C) error) error {
	order := slices.Clone(contenders)
	for range rounds {
		for _, c := range order {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := turn(c); err != nil {
				return err
			}
		}
		slices.Reverse(order)
	}
	return nil
}
