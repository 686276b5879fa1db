package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/store/mem"
)

func TestPagesNameTheirServer(t *testing.T) {
	b := openBrowser(t, serveForum(t, inMemory(), settings{idle: time.Minute, name: "forum<2>"}))
	for _, path := range []string{"/", "/forums/lobby", "/about", "/connection", "/nowhere"} {
		b.get(path).wants(t, b.get(path).status, "Served by <strong>forum&lt;2&gt;</strong>")
	}
	openBrowser(t, startForum(t)).get("/").wantsNot(t, "Served by")
}

func TestAboutSaysWhatOutlivesTheServer(t *testing.T) {
	inDatabase := storage{sessions: mem.New(nil), posts: newMemoryRepo(), streams: memlog.New(nil), database: true}
	b := openBrowser(t, serveForum(t, inDatabase, settings{idle: time.Minute, keys: sharedKeys}))
	b.get("/about").wants(t, http.StatusOK, "kept in a database")
	b.get("/about").wantsNot(t, "gone when it stops")

	b = openBrowser(t, startForum(t))
	b.get("/about").wants(t, http.StatusOK, "gone when it stops")
	b.get("/about").wantsNot(t, "database")
}
