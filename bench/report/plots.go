package report

import "strings"

// A plot is a picture of some of the samples.
type plot struct {
	file, part, work string // work: "" for all of the part
	title, caption   string
}

// plots are all there are. The first is the one that the project's README shows.
var plots = []plot{
	{file: "requests.svg", part: "request", title: "One request, in one process", caption: "median time, shorter is better; × is how many times as long as session takes; each panel has its own scale, from zero; a broken bar goes on"},
	{file: "growth-values.svg", part: "growth", work: ofValues, title: "Reading one of a session's values", caption: "values in the session"},
	{file: "growth-sessions.svg", part: "growth", work: "read from one of so many sessions", title: "Reading from one of many sessions in memory", caption: "sessions in the store"},
	{file: "growth-goroutines.svg", part: "growth", work: "read by so many goroutines", title: "Reading by many goroutines at once", caption: "goroutines"},
}

// draw returns the picture, or "" where there is nothing to show.
func (p plot) draw(s set) string {
	s = s.part(p.part).unit("ns")
	if p.work != "" {
		s = s.work(p.work)
	}
	switch {
	case len(measured(s)) == 0:
		return ""
	case s.grows():
		return lines(p.title, p.caption, s)
	case p.work == "":
		return bars(p.title, p.caption, s)
	}
	return ""
}

// images returns the Markdown that shows a part's plots.
func images(s set, part string) string {
	var b strings.Builder
	for _, p := range plots {
		if p.part == part && p.draw(s) != "" {
			b.WriteString("![" + p.title + "](" + p.file + ")\n\n")
		}
	}
	return b.String()
}
