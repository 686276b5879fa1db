package work

import (
	"context"

	"github.com/lazysession/session/bench/sample"
)

// compete has those contenders that can do a work do it, and says why the others can't.
func (m match) compete(ctx context.Context, w work, contenders []*contender, clients int) ([]sample.Sample, error) {
	rigs, samples, err := m.enlist(w, contenders, clients)
	defer closeAll(rigs)
	if err != nil {
		return nil, err
	}
	played, err := m.play(ctx, rigs)
	return append(played, samples...), err
}

func (m match) enlist(w work, contenders []*contender, clients int) ([]*rig, []sample.Sample, error) {
	var rigs []*rig
	var absent []sample.Sample
	for _, c := range contenders {
		if why := c.whyNot(w); why != "" {
			absent = append(absent, sample.Sample{
				Part: m.part, Work: w.name, Contender: c.name, Unit: "ns", Note: why, Parameter: m.parameter,
			})
			continue
		}
		r, err := newRig(c, w, clients)
		if err != nil {
			return rigs, nil, err
		}
		rigs = append(rigs, r)
	}
	return rigs, absent, nil
}

func closeAll(rigs []*rig) {
	for _, r := range rigs {
		r.close()
	}
}
