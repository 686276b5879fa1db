package main

import (
	"embed"
	"fmt"
	"hash/fnv"
	"html/template"
	"path"
	"strings"
	"time"
	"unicode/utf8"
)

//go:embed templates
var templateFiles embed.FS

// templates are the pages by name, each with the layout around it.
var templates = parseTemplates()

func parseTemplates() map[string]*template.Template {
	layout := template.Must(template.New("").Funcs(functions).ParseFS(templateFiles, "templates/layout.html"))
	pages := make(map[string]*template.Template)
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".html")
		pages[name] = template.Must(template.Must(layout.Clone()).ParseFS(templateFiles, path.Join("templates", f.Name())))
	}
	return pages
}

var functions = template.FuncMap{
	"ago":     func(t time.Time) string { return ago(time.Since(t)) },
	"until":   func(t time.Time) string { return span(time.Until(t)) },
	"exact":   func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") },
	"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"count":   func(n int, what string) string { return count(int64(n), what) },
	"bytes":   bytesText,
	"burst":   func() int { return visitsAtOnce },
	"initial": initial,
	"hue":     hue,
	"asset":   assetURL,
}

// ago says how long ago something was.
func ago(d time.Duration) string {
	if d < time.Minute {
		return "just now"
	}
	return span(d) + " ago"
}

// span says a duration as people do, in one unit.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	// What is a moment short of half an hour is half an hour.
	d = max(d, 0).Round(time.Minute / 2)
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return count(int64(d/time.Minute), "minute")
	case d < day:
		return count(int64(d/time.Hour), "hour")
	}
	return count(int64(d/day), "day")
}

func bytesText(n int) string {
	const kibi, mebi = 1 << 10, 1 << 20
	switch {
	case n < kibi:
		return count(int64(n), "byte")
	case n < mebi:
		return fmt.Sprintf("%.1f KiB", float64(n)/kibi)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/mebi)
}

// initial returns the letter that stands for somebody.
func initial(name string) string {
	r, _ := utf8.DecodeRuneInString(name)
	return strings.ToUpper(string(r))
}

// hue returns which of the style sheet's colours somebody has: always the same.
func hue(name string) uint32 {
	const hues = 8
	h := fnv.New32a()
	h.Write([]byte(name))
	return h.Sum32() % hues
}
