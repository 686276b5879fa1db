package live

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the files below
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

//go:embed client/live.js
var browserModule []byte

//go:embed client/live.d.ts
var browserTypes []byte

// A browserFile is a file that browsers and their tools load.
type browserFile struct {
	content     []byte
	contentType string
	etag        string
}

func newBrowserFile(content []byte, contentType string) browserFile {
	sum := sha256.Sum256(content)
	return browserFile{content, contentType, `"` + hex.EncodeToString(sum[:16]) + `"`}
}

// Client returns a handler that serves the browser module as live.js, and its type declarations as live.d.ts, whatever
// the path before the name:
//
//	mux.Handle("/assets/live.js", live.Client())
//
// Browsers keep the module, and ask each time whether it is still the same, so that a new version of the program is not
// met by an old module. Scripts import it:
//
//	import { connect } from "/assets/live.js";
//	const live = connect("/live");
func Client() http.Handler {
	files := map[string]browserFile{
		"live.js":   newBrowserFile(browserModule, "text/javascript; charset=utf-8"),
		"live.d.ts": newBrowserFile(browserTypes, "application/typescript; charset=utf-8"),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, ok := files[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", file.contentType)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", file.etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.content))
	})
}
