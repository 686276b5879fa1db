package report

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// lines draws how each contender's median grows with the parameter. Both axes are logarithmic.
func lines(picture picture, s set) (string, error) {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = picture.caption, "time of one request"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker = plot.TickerFunc(func(_, _ float64) (ticks []plot.Tick) {
		for _, n := range s.parameters() {
			ticks = append(ticks, plot.Tick{Value: float64(n), Label: thousands(float64(n))})
		}
		return ticks
	})
	p.Y.Tick.Marker = plot.TickerFunc(timeTicks)
	p.Add(plotter.NewGrid())
	for i, contender := range s.contenders() {
		var points plotter.XYs
		for _, one := range measured(s) {
			if one.Contender == contender {
				points = append(points, plotter.XY{X: float64(one.Parameter), Y: one.Median()})
			}
		}
		if len(points) == 0 {
			continue
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return "", err
		}
		line.Color, dots.Color, line.Width = lineColor(i), lineColor(i), 1.5
		if contender == ours {
			line.Width = 3
		}
		p.Add(line, dots)
		p.Legend.Add(contender, line, dots)
	}
	p.Legend.Top, p.Legend.Left, p.Legend.YOffs = true, true, -4
	p.Legend.XOffs, p.Legend.Padding = 8, 2
	p.Y.Max *= 8 // the legend stands above the lines
	c := newCanvas(picture, 560*vg.Points(1), 400*vg.Points(1))
	p.Draw(c.part(0, 0, c.width, c.height))
	return c.svg()
}

// timeTicks are powers of ten, in nanoseconds.
func timeTicks(least, most float64) (ticks []plot.Tick) {
	for v := 1.0; v <= most; v *= 10 {
		if v >= least {
			ticks = append(ticks, plot.Tick{Value: v, Label: roundTime(v)})
		}
	}
	return ticks
}

// roundTime leaves out decimals, since ticks are powers of ten.
func roundTime(nanos float64) string {
	switch {
	case nanos >= 1e6:
		return thousands(nanos/1e6) + " ms"
	case nanos >= 1e3:
		return thousands(nanos/1e3) + " µs"
	}
	return thousands(nanos) + " ns"
}
