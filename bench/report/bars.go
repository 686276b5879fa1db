package report

import (
	"math"
	"slices"

	"github.com/lazysession/session/bench/sample"
)

const (
	panelWidth  = 440.0
	panelLabels = 124.0 // of the contenders, left of the bars
	panelRoom   = 112.0 // for the figures, right of them
	barHeight   = 15.0
	barPitch    = 20.0
)

// bars draws a panel for each work: a bar for each contender that can do it, from zero, in its own scale.
func bars(title, caption string, s set) string {
	works := s.works()
	heights := rowHeights(s, works)
	height := 64.0
	for _, h := range heights {
		height += h
	}
	c := newCanvas(2*panelWidth+32, height, title)
	c.text("faint", "start", 16, 46, caption)
	y := 64.0
	for i, work := range works {
		x := 16 + panelWidth*float64(i%2)
		c.panel(x, y, work, s.work(work))
		if i%2 == 1 {
			y += heights[i/2]
		}
	}
	return c.String()
}

// rowHeights returns how high each row of two panels has to be.
func rowHeights(s set, works []string) []float64 {
	heights := make([]float64, (len(works)+1)/2)
	for i, work := range works {
		h := 44 + barPitch*float64(len(measured(s.work(work))))
		heights[i/2] = max(heights[i/2], h)
	}
	return heights
}

func measured(s set) set {
	return s.where(func(one sample.Sample) bool { return len(one.Rounds) > 0 })
}

func (c *canvas) panel(x, y float64, work string, s set) {
	s = measured(s)
	c.text("strong", "start", x, y+14, work)
	room := panelWidth - panelLabels - panelRoom
	scale := room / reach(s)
	y += 24
	left := x + panelLabels
	c.line("grid", left, y-2, left, y+barPitch*float64(len(s.contenders())))
	for _, contender := range s.contenders() {
		one := s.of(contender)
		width := math.Max(1, one.Median()*scale)
		c.text(textClass(contender), "end", left-8, y+barHeight-3, contender)
		c.rect(barClass(contender), left, y, math.Min(width, room), barHeight)
		if width > room*1.001 {
			width = room
			c.rect("ground", left+room*0.9, y, 4, barHeight)
		}
		c.text(textClass(contender), "start", left+width+6, y+barHeight-3, barLabel(one, s.of(ours)))
		y += barPitch
	}
}

// reach returns how far a panel's scale goes: to its longest bar, but not so far beyond the second that the others can't
// be told apart any more. A bar that goes on is broken.
func reach(s set) float64 {
	var medians []float64
	for _, one := range s {
		medians = append(medians, one.Median())
	}
	slices.Sort(medians)
	n := len(medians)
	if n == 1 {
		return medians[0]
	}
	return math.Min(medians[n-1], 1.5*medians[n-2])
}

func barLabel(one, ours *sample.Sample) string {
	if one == ours {
		return formatMedian(one)
	}
	return formatMedian(one) + " · " + formatRatio(cost(one, ours))
}

func barClass(contender string) string {
	switch contender {
	case ours:
		return "ours"
	case bare, withValue:
		return "floor"
	}
	return "peer"
}

func textClass(contender string) string {
	if contender == ours {
		return "strong"
	}
	return ""
}
