package report

import (
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	panelWidth = vg.Length(450)
	barPitch   = vg.Length(19)
	panelFrame = vg.Length(44) // of a panel's height, what is not bars
	panelGap   = vg.Length(8)  // above a panel
)

// bars draws a panel for each work, two in a row: a bar for each contender that can do it, from zero, in its own scale.
func bars(p picture, s set) (string, error) {
	var panels []*plot.Plot
	var heights []vg.Length // of the rows
	for i, work := range s.works() {
		one := measured(s.work(work))
		panel, err := barPanel(work, one)
		if err != nil {
			return "", err
		}
		panels = append(panels, panel)
		height := panelFrame + barPitch*vg.Length(len(one))
		if i%2 == 0 {
			heights = append(heights, height)
		}
		heights[i/2] = max(heights[i/2], height)
	}
	var sum vg.Length
	for _, h := range heights {
		sum += h
	}
	c := newCanvas(p, 2*panelWidth, sum)
	bottom := sum
	for row, height := range heights {
		bottom -= height
		for i, panel := range panels[2*row : min(2*row+2, len(panels))] {
			left := panelWidth * vg.Length(i)
			panel.Draw(c.part(left, bottom, left+panelWidth, bottom+height-panelGap))
		}
	}
	return c.svg()
}

// barPanel draws one work, the first contender on top.
func barPanel(work string, s set) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = work
	p.Title.TextStyle.Font.Weight = bold
	p.HideX()
	p.Y.LineStyle.Width, p.Y.Tick.Length, p.Y.Padding = 0, 0, 10
	p.X.Min, p.X.Max = 0, reach(s)*1.5 // the labels stand behind the bars
	names, labels := make([]string, len(s)), plotter.XYLabels{}
	for i, contender := range s.contenders() {
		row := len(s) - 1 - i
		one := s.of(contender)
		length := min(one.Median(), reach(s))
		bar, err := plotter.NewBarChart(plotter.Values{length}, 14)
		if err != nil {
			return nil, err
		}
		bar.Horizontal, bar.XMin, bar.LineStyle.Width, bar.Color = true, float64(row), 0, barColor(contender)
		p.Add(bar)
		names[row] = contender
		labels.XYs = append(labels.XYs, plotter.XY{X: length, Y: float64(row)})
		labels.Labels = append(labels.Labels, barLabel(one, s.of(ours)))
	}
	texts, err := plotter.NewLabels(labels)
	if err != nil {
		return nil, err
	}
	texts.Offset.X = 5
	for i := range texts.TextStyle {
		texts.TextStyle[i].YAlign = draw.YCenter
	}
	p.Add(texts)
	p.NominalY(names...)
	return p, nil
}

// reach returns how long a panel's longest bar is drawn: as long as it is, but at most half as long again as the
// second one, so that the others can be told apart. The label of a bar that is cut says so.
func reach(s set) float64 {
	medians := make([]float64, len(s))
	for i := range s {
		medians[i] = s[i].Median()
	}
	slices.Sort(medians)
	longest := medians[len(medians)-1]
	if len(medians) == 1 {
		return longest
	}
	return min(longest, 1.5*medians[len(medians)-2])
}
