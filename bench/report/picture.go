package report

import (
	"image/color"
	"strings"

	stdfnt "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/lazysession/session/bench/measure"
)

const bold = stdfnt.WeightBold

func init() {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	plotter.DefaultFont = plot.DefaultFont
}

// A picture shows some of the samples.
type picture struct {
	file, part, work string // work: "" for all of the part
	title, caption   string
}

// pictures are all there are. The first is the one that the project's README shows.
var pictures = []picture{
	{
		file: "requests.svg", part: "request", title: "One request, in one process",
		caption: "Median time; shorter is better. × is how many times as long as session takes. Each panel has a scale of" +
			" its own, from zero. The longest bar may be cut; its figure is whole.",
	},
	{
		file: "growth-values.svg", part: "growth", work: ofValues,
		title: "Reading one of a session's values", caption: "values in the session",
	},
	{
		file: "growth-sessions.svg", part: "growth", work: "read from one of so many sessions",
		title: "Reading from one of many sessions in memory", caption: "sessions in the store",
	},
	{
		file: "growth-goroutines.svg", part: "growth", work: "read by so many goroutines",
		title: "Reading by many goroutines at once", caption: "goroutines",
	},
}

// draw returns the picture in SVG, or "" where there is nothing to show.
func (p picture) draw(s set) (string, error) {
	s = s.part(p.part).unit("ns")
	if p.work != "" {
		s = s.work(p.work)
	}
	switch {
	case len(measured(s)) == 0:
		return "", nil
	case s.grows():
		return lines(p, s)
	case p.work == "":
		return bars(p, s)
	}
	return "", nil
}

// images returns the Markdown that shows a part's pictures.
func images(s set, part string) string {
	var b strings.Builder
	for _, p := range pictures {
		if svg, err := p.draw(s); p.part == part && svg != "" && err == nil {
			b.WriteString("![" + p.title + "](" + p.file + ")\n\n")
		}
	}
	return b.String()
}

// A canvas is a picture with its title, on white, so that it can be read on pages of any colour.
type canvas struct {
	draw.Canvas
	on            *vgsvg.Canvas
	width, height vg.Length // of what is below the title
}

const titleHeight, margin = vg.Length(46), vg.Length(8)

func newCanvas(p picture, width, height vg.Length) canvas {
	on := vgsvg.New(width+2*margin, height+titleHeight+margin)
	c := canvas{draw.New(on), on, width, height}
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	c.say(p.title, 15, bold, height+titleHeight-12)
	if p.work == "" {
		c.say(p.caption, 9, stdfnt.WeightNormal, height+titleHeight-30)
	}
	return c
}

func (c canvas) say(what string, size vg.Length, weight stdfnt.Weight, y vg.Length) {
	style := text.Style{Color: color.Black, Font: font.From(plot.DefaultFont, size), Handler: plot.DefaultTextHandler}
	style.Font.Weight = weight
	c.FillText(style, vg.Point{X: margin, Y: y}, what)
}

// part returns a part of the canvas, below the title.
func (c canvas) part(left, bottom, right, top vg.Length) draw.Canvas {
	at := func(x, y vg.Length) vg.Point { return vg.Point{X: margin + x, Y: margin + y} }
	return draw.Canvas{Canvas: c.Canvas.Canvas, Rectangle: vg.Rectangle{Min: at(left, bottom), Max: at(right, top)}}
}

func (c canvas) svg() (string, error) {
	var b strings.Builder
	_, err := c.on.WriteTo(&b)
	const font = "font-family:Liberation Sans" // Arial has the same widths
	return strings.ReplaceAll(b.String(), font, font+",Arial,Helvetica,sans-serif"), err
}

func measured(s set) set {
	return s.where(func(one measure.Sample) bool { return len(one.Rounds) > 0 })
}

func barLabel(one, ours *measure.Sample) string {
	if one == ours {
		return formatMedian(one)
	}
	return formatMedian(one) + " · " + formatRatio(cost(one, ours))
}

var blue = color.RGBA{0x09, 0x69, 0xda, 0xff}

func barColor(contender string) color.Color {
	switch contender {
	case ours:
		return blue
	case bare, withValue:
		return color.Gray{0xd5}
	}
	return color.Gray{0xa0}
}

// lineColor returns the colour of the i-th line: ours first, then colours that colour-blind readers can tell apart
// (Okabe and Ito).
func lineColor(i int) color.Color {
	others := []color.Color{
		color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff}, color.RGBA{0xcc, 0x79, 0xa7, 0xff},
		color.RGBA{0xe6, 0x9f, 0x00, 0xff}, color.Gray{0x57}, color.RGBA{0x82, 0x50, 0xdf, 0xff},
	}
	if i == 0 {
		return blue
	}
	return others[(i-1)%len(others)]
}
