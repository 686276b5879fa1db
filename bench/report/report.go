// Package report turns samples into what people read: tables in Markdown, and plots in SVG.
package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lazysession/session/bench/sample"
)

// A Report is what one run measured, where, when, and how to repeat it.
type Report struct {
	Samples []sample.Sample
	Machine Machine
	Date    time.Time
	Took    time.Duration
	Command string
}

// Write writes the pages and plots into a folder.
func (r *Report) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files, err := r.files()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (r *Report) files() (map[string]string, error) {
	s := set(r.Samples)
	files := map[string]string{"README.md": r.index()}
	for _, name := range s.parts() {
		files[name+".md"] = r.page(name)
	}
	for _, p := range pictures {
		svg, err := p.draw(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.file, err)
		}
		if svg != "" {
			files[p.file] = svg
		}
	}
	return files, nil
}

func (r *Report) index() string {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\n" + r.origin() + explanation + "\n")
	for _, name := range set(r.Samples).parts() {
		p := partOf(name)
		b.WriteString("## [" + p.title + "](" + name + ".md)\n" + p.text + "\n\n")
		b.WriteString(images(r.Samples, name))
		b.WriteString(overview(set(r.Samples).part(name)))
	}
	b.WriteString("## Targets\n\nThey were set before anything was measured. Ratios are of the same run.\n\n")
	b.WriteString(targetTable(r.Samples, targets))
	b.WriteString(obstacles(r.Samples, targets))
	b.WriteString("\n## Measured on\n\n" + r.Machine.markdown())
	return b.String()
}

const explanation = `
Every table compares this library, ` + "`session`" + `, with others that do the same work in the same run. A ratio
above 1 says how many times as much the other one costs; below 1, the other one costs less. A ratio is the quotient of
the two medians that stand on the same page. Contenders take turns in each round, another one first each time, so that a
slow moment of the machine slows all of them.

Before a work is timed and after, its result is checked: the counter is what it should be, the value read is the value
written, the token from before a login is dead. A contender that can't do a work has the reason in place of a figure.
Each contender has its own defaults, and a signing key where it takes one; a note says where its set-up differs.
`

func (r *Report) origin() string {
	return "Written by `" + r.Command + "` on " + r.Date.Format("2 January 2006") + ", in " +
		r.Took.Round(time.Second).String() + ".\n"
}

func (r *Report) page(name string) string {
	p := partOf(name)
	var b strings.Builder
	b.WriteString("# " + p.title + "\n\n" + r.origin() + p.text + "\n\n")
	b.WriteString(images(r.Samples, name))
	s := set(r.Samples).part(name)
	for _, work := range s.works() {
		b.WriteString("## " + work + "\n\n" + tables(s.work(work)))
	}
	return b.String()
}
