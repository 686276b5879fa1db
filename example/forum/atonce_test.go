package main

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session/store/mem"
)

var (
	pictures      = regexp.MustCompile(`<img src="(/forums/lobby/visit\.svg\?[^"]*)"`)
	pictureNumber = regexp.MustCompile(`>(\d+)</text>`)
)

// The page counts a visit, and so does each picture on it, all at the same time.
func TestVisitsAtOnceGetEachNumberOnce(t *testing.T) {
	sessions := &meetingStore{Store: mem.New(nil)}
	b := openBrowser(t, startForumOn(t, sessions))
	b.get("/forums/lobby").wants(t, http.StatusOK, `action="/forums/lobby/at-once"`, "20 visits at once")
	a := b.get("/forums/lobby/at-once")
	a.wants(t, http.StatusOK, "visit number 2", "numbers 3 to 22", "number 23")
	found := pictures.FindAllStringSubmatch(a.body, -1)
	if len(found) != visitsAtOnce {
		t.Fatalf("the page has %d pictures, want %d", len(found), visitsAtOnce)
	}
	all := new(sync.WaitGroup)
	all.Add(visitsAtOnce)
	sessions.meeting.Store(all)
	numbers := make([]int, visitsAtOnce)
	addresses := make(map[string]bool)
	var loading sync.WaitGroup
	for i, f := range found {
		addresses[f[1]] = true
		loading.Go(func() {
			picture := b.get(strings.ReplaceAll(f[1], "&amp;", "&"))
			if kind := picture.header.Get("Content-Type"); kind != "image/svg+xml" {
				t.Errorf("a picture is %q, want image/svg+xml", kind)
			}
			if n := pictureNumber.FindStringSubmatch(picture.body); n != nil {
				numbers[i], _ = strconv.Atoi(n[1])
			}
		})
	}
	loading.Wait()
	sessions.meeting.Store(nil)
	slices.Sort(numbers)
	for i, got := range numbers {
		if got != i+3 {
			t.Fatalf("the pictures show %v, want 3 to 22, each once", numbers)
		}
	}
	if len(addresses) != visitsAtOnce {
		t.Errorf("%d pictures have %d addresses: a browser would load some of them once only", visitsAtOnce, len(addresses))
	}
	if got := b.get("/forums/lobby").visits(); got != 23 {
		t.Errorf("the next visit is number %d, want the promised 23", got)
	}
}

// Without a session to share, each picture would begin one of its own.
func TestVisitsAtOnceOfANewVisitorShareASession(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.get("/forums/go/at-once").wants(t, http.StatusOK, "visit number 1")
	if b.cookie() == "" {
		t.Error("the page began no session")
	}
	before := b.cookie()
	b.get("/forums/go/visit.svg").wants(t, http.StatusOK, ">2</text>")
	if b.cookie() != before {
		t.Error("a picture has begun another session")
	}
}

func TestAVisitsPictureNamesItsServer(t *testing.T) {
	b := openBrowser(t, serveForum(t, inMemory(), settings{idle: time.Minute, name: "<forum2>"}))
	picture := b.get("/forums/lobby/visit.svg")
	picture.wants(t, http.StatusOK, "&lt;forum2&gt;")
	if got := picture.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control: got %q, want no-store", got)
	}
	for _, path := range []string{"/forums/nope/visit.svg", "/forums/nope/at-once"} {
		b.get(path).wants(t, http.StatusNotFound)
	}
	openBrowser(t, startForum(t)).get("/forums/lobby/visit.svg").wants(t, http.StatusOK, fmt.Sprint(">", 1, "</text>"))
}
