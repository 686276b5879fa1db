package report

import (
	"fmt"
	"html"
	"strings"
)

// A canvas is an SVG picture that follows the reader's colours: dark on light, or light on dark.
type canvas struct {
	width, height float64
	b             strings.Builder
}

// Colours are classes, so that one rule for each mode changes all of them. The six after ours are told apart by people
// who see colours differently, too (Okabe and Ito), and by the labels at the lines' ends.
const style = `<style>
text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.strong { font-weight: 600 }
.faint { fill: #59636e }
.ground { fill: #ffffff }
.grid { stroke: #d8dee4; stroke-width: 1 }
.line { fill: none; stroke-width: 1.75 }
.ours { fill: #0969da } .line.ours { fill: none; stroke: #0969da; stroke-width: 3 }
.peer { fill: #9aa4af }
.floor { fill: #d0d7de }
.c1 { stroke: #b35900 } .c2 { stroke: #008a63 } .c3 { stroke: #a8467f } .c4 { stroke: #7a6a00 } .c5 { stroke: #57606a } .c6 { stroke: #8250df }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.faint { fill: #9198a1 }
.ground { fill: #0d1117 }
.grid { stroke: #30363d }
.ours { fill: #4493f8 } .line.ours { stroke: #4493f8 }
.peer { fill: #656c76 }
.floor { fill: #3d444d }
.c1 { stroke: #f0883e } .c2 { stroke: #3fb99a } .c3 { stroke: #e07ab8 } .c4 { stroke: #d4b83a } .c5 { stroke: #9198a1 } .c6 { stroke: #ab7df8 }
}
</style>
`

func newCanvas(width, height float64, title string) *canvas {
	c := &canvas{width: width, height: height}
	fmt.Fprintf(&c.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&c.b, "<title>%s</title>\n%s", html.EscapeString(title), style)
	c.rect("ground", 0, 0, width, height)
	c.text("title", "start", 16, 26, title)
	return c
}

func (c *canvas) rect(class string, x, y, width, height float64) {
	fmt.Fprintf(&c.b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`+"\n", class, x, y, width, height)
}

// text places text at a baseline; anchor is start, middle or end.
func (c *canvas) text(class, anchor string, x, y float64, text string) {
	fmt.Fprintf(&c.b, `<text class="%s" text-anchor="%s" x="%.1f" y="%.1f">%s</text>`+"\n", class, anchor, x, y, html.EscapeString(text))
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&c.b, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", class, x1, y1, x2, y2)
}

type point struct{ x, y float64 }

func (c *canvas) polyline(class string, points []point) {
	pairs := make([]string, len(points))
	for i, p := range points {
		pairs[i] = fmt.Sprintf("%.1f,%.1f", p.x, p.y)
	}
	fmt.Fprintf(&c.b, `<polyline class="line %s" points="%s"/>`+"\n", class, strings.Join(pairs, " "))
}

func (c *canvas) String() string { return c.b.String() + "</svg>\n" }
