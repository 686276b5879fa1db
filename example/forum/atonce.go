package main

import (
	"html/template"
	"net/http"
)

// visitsAtOnce is how many visits one page makes, besides its own.
const visitsAtOnce = 20

type atOnceView struct {
	Forum    Forum
	Own      int   // the number of the visit that the page is
	Pictures []int // one for each visit that the browser makes then
}

// The pictures get the numbers from First to Last. The visit after them is Next.
func (v atOnceView) First() int { return v.Own + 1 }
func (v atOnceView) Last() int  { return v.Own + visitsAtOnce }
func (v atOnceView) Next() int  { return v.Last() + 1 }

// showAtOnce makes the browser send many requests at the same time, without a script: each picture on the page is a
// request that counts a visit and shows its number. The page counts a visit, too: it begins the session that the
// pictures share. Without it, each picture would begin its own session.
func showAtOnce(w http.ResponseWriter, r *http.Request) error {
	_, forum, err := forumOf(r)
	if err != nil {
		return err
	}
	v, err := openView(r, count(visitsAtOnce, "visit")+" at once")
	if err != nil {
		return err
	}
	own, err := countVisit(r.Context(), forum.ID)
	if err != nil {
		return err
	}
	data := atOnceView{Forum: forum, Own: int(own), Pictures: make([]int, visitsAtOnce)}
	for i := range data.Pictures {
		data.Pictures[i] = data.First() + i // makes the addresses differ; a picture may get another number
	}
	return v.show(w, http.StatusOK, "at-once", data)
}

// visitPicture can be read in the light and in the dark colour scheme.
var visitPicture = template.Must(template.New("").Parse(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 64">
<rect width="120" height="64" rx="10" fill="#2f6f62"/>
<g fill="#fff" font-family="system-ui, sans-serif" text-anchor="middle">
<text x="60" y="{{if .Server}}33{{else}}42{{end}}" font-size="28" font-weight="600">{{.Number}}</text>
{{- with .Server}}<text x="60" y="54" font-size="15">{{.}}</text>{{end}}
</g>
</svg>
`))

// showVisit counts a visit, and answers with a picture of its number and of the server that counted it.
func showVisit(w http.ResponseWriter, r *http.Request) error {
	_, forum, err := forumOf(r)
	if err != nil {
		return err
	}
	number, err := countVisit(r.Context(), forum.ID)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "no-store")
	_ = visitPicture.Execute(w, struct { // fails only for a client that has gone
		Number int64
		Server string
	}{number, siteOf(r.Context()).Server})
	return nil
}
