// Package report turns samples into what people read: tables in Markdown, and plots in SVG.
package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lazysession/session/bench/measure"
)

// A Report is what one run measured, where, when, and how to repeat it.
type Report struct {
	Samples []measure.Sample
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
	b.WriteString(r.head("README"))
	for _, name := range set(r.Samples).parts() {
		title, text := textOf(name)
		b.WriteString("## [" + title + "](" + name + ".md)\n" + text + "\n")
		b.WriteString(images(r.Samples, name))
		b.WriteString(overview(set(r.Samples).part(name)))
	}
	b.WriteString("## Targets\n\nThey were set before anything was measured. Ratios are of the same run.\n\n")
	b.WriteString(targetTable(r.Samples, targets))
	b.WriteString(obstacles(r.Samples, targets))
	b.WriteString("\n## Measured on\n\n" + r.Machine.markdown())
	return b.String()
}

// head returns the title and the text of a page, and where its figures come from.
func (r *Report) head(name string) string {
	title, text := textOf(name)
	return "# " + title + "\n\nWritten by `" + r.Command + "` on " + r.Date.Format("2 January 2006") + ", in " +
		r.Took.Round(time.Second).String() + ".\n" + text + "\n"
}

func (r *Report) page(name string) string {
	var b strings.Builder
	b.WriteString(r.head(name))
	b.WriteString(images(r.Samples, name))
	s := set(r.Samples).part(name)
	for _, work := range s.works() {
		b.WriteString("## " + work + "\n\n" + tables(s.work(work)))
	}
	return b.String()
}
