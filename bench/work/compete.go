package work

import "context"

// compete has those contenders that can do a work do it, and says why the others can't.
func (m match) compete(ctx context.Context, w work, contenders []*contender, clients int) error {
	var rigs []*rig
	defer func() { closeAll(rigs) }()
	for _, c := range contenders {
		if c.whyNot(w) != "" {
			continue
		}
		r, err := newRig(c, w, clients)
		if err != nil {
			return err
		}
		rigs = append(rigs, r)
	}
	if err := m.play(ctx, rigs); err != nil {
		return err
	}
	for _, c := range contenders {
		if why := c.whyNot(w); why != "" {
			m.Add(m.sample(c, w, "ns", why))
		}
	}
	return nil
}

func closeAll(rigs []*rig) {
	for _, r := range rigs {
		r.close()
	}
}
