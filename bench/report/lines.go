package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/lazysession/session/bench/sample"
)

// A plane maps figures to places on a picture, both axes logarithmic.
type plane struct {
	left, right, top, bottom float64
	minX, maxX, minY, maxY   float64
}

func share(v, least, most float64) float64 { return math.Log(v/least) / math.Log(most/least) }

func (p plane) x(v float64) float64 { return p.left + (p.right-p.left)*share(v, p.minX, p.maxX) }

func (p plane) y(v float64) float64 { return p.bottom - (p.bottom-p.top)*share(v, p.minY, p.maxY) }

// planeOf makes the vertical axis begin and end with a power of ten.
func planeOf(s set) plane {
	p := plane{left: 74, right: 590, top: 60, bottom: 364, minY: math.Inf(1)}
	ns := s.parameters()
	p.minX, p.maxX = float64(slices.Min(ns)), float64(slices.Max(ns))
	for _, one := range measured(s) {
		p.minY, p.maxY = math.Min(p.minY, one.Median()), math.Max(p.maxY, one.Median())
	}
	p.minY = math.Pow(10, math.Floor(math.Log10(p.minY)))
	p.maxY = math.Pow(10, math.Ceil(math.Log10(p.maxY)*1.0001))
	return p
}

// lines draws how each contender's cost grows with the parameter, with its name at the end of its line.
func lines(title, across string, s set) string {
	c := newCanvas(760, 420, title)
	p := planeOf(s)
	c.axes(p, across, s)
	var ends []end
	for i, contender := range s.contenders() {
		points := p.points(s, contender)
		if len(points) == 0 {
			continue
		}
		class := lineClass(i)
		c.polyline(class, points)
		last := points[len(points)-1]
		ends = append(ends, end{contender, last})
	}
	c.labels(p, ends)
	return c.String()
}

func lineClass(i int) string {
	if i == 0 {
		return "ours"
	}
	return fmt.Sprintf("c%d", i)
}

func (p plane) points(s set, contender string) []point {
	var points []point
	for _, one := range measured(s).where(func(one sample.Sample) bool { return one.Contender == contender }) {
		points = append(points, point{p.x(float64(one.Parameter)), p.y(one.Median())})
	}
	return points
}

func (c *canvas) axes(p plane, across string, s set) {
	c.text("faint", "start", 16, 46, "time of one request; both axes are logarithmic")
	for v := p.minY; v <= p.maxY*1.01; v *= 10 {
		c.line("grid", p.left, p.y(v), p.right, p.y(v))
		c.text("faint", "end", p.left-8, p.y(v)+4, axisTime(v))
	}
	for _, n := range s.parameters() {
		x := p.x(float64(n))
		c.line("grid", x, p.top, x, p.bottom)
		c.text("faint", "middle", x, p.bottom+18, thousands(float64(n)))
	}
	c.text("", "middle", (p.left+p.right)/2, p.bottom+40, across)
}

// axisTime leaves out decimals, since an axis has powers of ten.
func axisTime(nanos float64) string {
	switch {
	case nanos >= 1e6:
		return thousands(nanos/1e6) + " ms"
	case nanos >= 1e3:
		return thousands(nanos/1e3) + " µs"
	}
	return thousands(nanos) + " ns"
}

// An end is where a line ends, and whose it is.
type end struct {
	contender string
	point
}

const labelPitch = 15.0

// labels writes the names beside the ends of lines. Where they would overlap, they move apart, but not below the axis;
// a name that moved, or whose line ends early, gets a leader.
func (c *canvas) labels(p plane, ends []end) {
	slices.SortFunc(ends, func(a, b end) int { return cmp.Compare(a.y, b.y) })
	places := spread(ends, p.bottom)
	for i, e := range ends {
		c.line("grid", e.x+3, e.y, p.right+14, places[i])
		c.text(textClass(e.contender), "start", p.right+18, places[i]+4, e.contender)
	}
}

// spread returns the heights of labels: those of the ends, apart from each other.
func spread(ends []end, bottom float64) []float64 {
	places := make([]float64, len(ends))
	for i, e := range ends {
		places[i] = e.y
		if i > 0 {
			places[i] = math.Max(e.y, places[i-1]+labelPitch)
		}
	}
	for i := len(places) - 1; i >= 0; i-- {
		places[i] = math.Min(places[i], bottom-labelPitch*float64(len(places)-1-i))
	}
	return places
}
