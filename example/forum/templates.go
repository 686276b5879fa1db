package main

import (
	"embed"
	"hash/fnv"
	"html/template"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
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
	"ago":     ago,
	"until":   until,
	"exact":   exactTime,
	"machine": machineTime,
	"count":   count,
	"bytes":   func(n int) string { return humanize.IBytes(uint64(n)) },
	"burst":   func() int { return visitsAtOnce },
	"initial": initial,
	"hue":     hue,
	"asset":   assetURL,
}

func ago(t time.Time) string { return humanize.Time(t) }

func exactTime(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") }

func machineTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// count says how many there are of something: "1 visit", "2 visits".
func count(n int, what string) string { return strconv.Itoa(n) + " " + english.PluralWord(n, what, "") }

// until says how long it is until then.
func until(t time.Time) string {
	now := time.Now()
	// Round, so that 29 minutes and 59 seconds are half an hour.
	then := now.Add(t.Sub(now).Round(time.Minute / 2))
	return strings.TrimSpace(humanize.RelTime(now, then, "", ""))
}

// initial returns the first letter of a name, in upper case.
func initial(name string) string {
	r, _ := utf8.DecodeRuneInString(name)
	return strings.ToUpper(string(r))
}

// hue returns the number of a name's colour in the style sheet. It is always the same for a name.
func hue(name string) uint32 {
	const hues = 8
	h := fnv.New32a()
	h.Write([]byte(name))
	return h.Sum32() % hues
}
