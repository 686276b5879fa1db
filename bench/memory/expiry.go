package memory

import (
	"errors"
	"fmt"
	"time"
)

// expiry makes half of the sessions end at one moment, and measures the waits of a reader of the others just before and
// from then on, when the store sweeps. Making the sessions may take twice as long as it took before.
func (p plan) expiry(c contender, f *figures, took time.Duration) error {
	const early = 5 * time.Millisecond // what is swept has ended by then
	start := time.Now()
	sweep := start.Add(took*5/2 + p.window + time.Second)
	s := c.open(sweep)
	ends := sweep.Add(-early)
	if err := p.fill(s, ends); err != nil {
		return errors.Join(err, s.close())
	}
	before := heap()
	read := s.reader(p.odd())
	if late := time.Until(ends) - p.window; late < 0 {
		err := fmt.Errorf("making sessions took %v the second time, and %v the first", time.Since(start), took)
		return errors.Join(err, s.close())
	}
	time.Sleep(time.Until(ends.Add(-p.window)))
	quiet, err := p.waits(read, ends)
	if err != nil {
		return errors.Join(err, s.close())
	}
	sweeping, err := p.waits(read, ends.Add(p.window))
	if err != nil {
		return errors.Join(err, s.close())
	}
	f.addWaits(c.name, "before expiry", quiet)
	f.addWaits(c.name, "during expiry", sweeping)
	return errors.Join(s.swept(p.sessions, before, heap()), s.close())
}

// fill makes the sessions, of which the even ones end early.
func (p plan) fill(s stock, ends time.Time) error {
	for n := range p.sessions {
		at := ends
		if n%2 == 1 {
			at = ends.Add(time.Hour)
		}
		if err := s.put(n, at); err != nil {
			return err
		}
	}
	return nil
}

// odd returns the numbers of the sessions that go on.
func (p plan) odd() []int {
	numbers := make([]int, p.sessions/2)
	for i := range numbers {
		numbers[i] = 2*i + 1
	}
	return numbers
}
