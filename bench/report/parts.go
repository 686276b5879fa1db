package report

import (
	"embed"
	"strings"

	"github.com/lazysession/session/bench/measure"
)

const ours = measure.Ours

// texts are what a reader is to know first: a page's title, and what stands below it.
//
//go:embed text
var texts embed.FS

// textOf returns the title and the text of a page.
func textOf(name string) (title, text string) {
	page, err := texts.ReadFile("text/" + name + ".md")
	if err != nil {
		return name, "" // a page that nobody described
	}
	title, text, _ = strings.Cut(strings.TrimPrefix(string(page), "# "), "\n")
	return title, text
}

// parameters are what the heads of a part's tables count, unless the name of the work says it.
var parameters = map[string]string{"database": "goroutines"}

// isComparable picks what an overview compares: time and throughput, and where each work has a unit of its own, all.
func isComparable(s measure.Sample) bool {
	return s.Unit == "ns" || isRate(s.Unit) || s.Part == "live"
}
