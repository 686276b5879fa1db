package report

import (
	"slices"

	"github.com/lazysession/session/bench/measure"
)

// A set is samples, in the order in which they were measured, to be asked for by what they are of.
type set []measure.Sample

func (s set) where(keep func(measure.Sample) bool) set {
	var kept set
	for _, one := range s {
		if keep(one) {
			kept = append(kept, one)
		}
	}
	return kept
}

func (s set) part(name string) set {
	return s.where(func(one measure.Sample) bool { return one.Part == name })
}

func (s set) work(name string) set {
	return s.where(func(one measure.Sample) bool { return one.Work == name })
}

func (s set) unit(name string) set {
	return s.where(func(one measure.Sample) bool { return one.Unit == name })
}

func (s set) parameter(n int) set {
	return s.where(func(one measure.Sample) bool { return one.Parameter == n })
}

// of returns the contender's sample, or nil. It is for sets in which each contender has one.
func (s set) of(contender string) *measure.Sample {
	for i := range s {
		if s[i].Contender == contender {
			return &s[i]
		}
	}
	return nil
}

func (s set) parts() []string {
	return distinct(s, func(one measure.Sample) string { return one.Part })
}

func (s set) works() []string {
	return distinct(s, func(one measure.Sample) string { return one.Work })
}

func (s set) units() []string {
	return distinct(s, func(one measure.Sample) string { return one.Unit })
}

func (s set) parameters() []int {
	return distinct(s, func(one measure.Sample) int { return one.Parameter })
}

// contenders returns ours first.
func (s set) contenders() []string {
	all := distinct(s, func(one measure.Sample) string { return one.Contender })
	if at := slices.Index(all, measure.Ours); at > 0 {
		all = append([]string{measure.Ours}, slices.Delete(all, at, at+1)...)
	}
	return all
}

func distinct[T comparable](s set, of func(measure.Sample) T) []T {
	var found []T
	for _, one := range s {
		if v := of(one); !slices.Contains(found, v) {
			found = append(found, v)
		}
	}
	return found
}

// grows reports whether the samples of a work show how its cost grows.
func (s set) grows() bool { return len(s.parameters()) > 1 }
