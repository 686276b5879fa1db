package stores

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// expiry makes half of the sessions end at one moment, and measures the waits of a reader of the others just before and
// from then on, when the store sweeps. Making the sessions may take twice as long as it took before.
func (s shelf) expiry(took time.Duration) error {
	const early = 5 * time.Millisecond // what is swept has ended by then
	start := time.Now()
	sweep := start.Add(took*5/2 + s.Window + time.Second)
	stock := s.open(sweep)
	ends := sweep.Add(-early)
	if err := s.fill(stock, ends); err != nil {
		return errors.Join(err, stock.close())
	}
	before := heap()
	read := stock.reader(s.odd())
	if late := time.Until(ends) - s.Window; late < 0 {
		err := fmt.Errorf("making sessions took %v the second time, and %v the first", time.Since(start), took)
		return errors.Join(err, stock.close())
	}
	time.Sleep(time.Until(ends.Add(-s.Window)))
	quiet, err := s.waits(read, ends)
	if err != nil {
		return errors.Join(err, stock.close())
	}
	sweeping, err := s.waits(read, ends.Add(s.Window))
	if err != nil {
		return errors.Join(err, stock.close())
	}
	s.addWaits("before expiry", quiet)
	s.addWaits("during expiry", sweeping)
	return errors.Join(stock.swept(s.Sessions, before, heap()), stock.close())
}

// fill makes the sessions, of which the even ones end early.
func (s shelf) fill(stock stock, ends time.Time) error {
	for n := range s.Sessions {
		at := ends
		if n%2 == 1 {
			at = ends.Add(time.Hour)
		}
		if err := stock.put(context.Background(), n, at); err != nil {
			return err
		}
	}
	return nil
}

// odd returns the numbers of the sessions that go on.
func (s shelf) odd() []int {
	numbers := make([]int, s.Sessions/2)
	for i := range numbers {
		numbers[i] = 2*i + 1
	}
	return numbers
}
