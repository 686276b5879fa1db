package live_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/lazysession/session/live"
)

func ask(method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	live.Client().ServeHTTP(w, r)
	return w
}

func TestClientServesTheModuleAndItsTypes(t *testing.T) {
	for _, file := range []struct{ path, source, contentType string }{
		{"/live.js", "client/live.js", "text/javascript; charset=utf-8"},
		{"/assets/v1/live.js", "client/live.js", "text/javascript; charset=utf-8"},
		{"/assets/live.d.ts", "client/live.d.ts", "application/typescript; charset=utf-8"},
	} {
		source, err := os.ReadFile(file.source)
		if err != nil {
			t.Fatal(err)
		}
		w := ask("GET", file.path)
		if w.Code != http.StatusOK || w.Body.String() != string(source) {
			t.Errorf("GET %s: got status %d and %d bytes, want 200 and %s", file.path, w.Code, w.Body.Len(), file.source)
		}
		for key, want := range map[string]string{
			"Content-Type":           file.contentType,
			"Cache-Control":          "no-cache",
			"X-Content-Type-Options": "nosniff",
		} {
			if got := w.Header().Get(key); got != want {
				t.Errorf("GET %s: %s: got %q, want %q", file.path, key, got, want)
			}
		}
		head := ask("HEAD", file.path)
		if head.Code != http.StatusOK || head.Body.Len() != 0 || head.Header().Get("ETag") != w.Header().Get("ETag") {
			t.Errorf("HEAD %s: got status %d, %d bytes and %v", file.path, head.Code, head.Body.Len(), head.Header())
		}
	}
}

func TestClientIsSentOnce(t *testing.T) {
	module, types := ask("GET", "/live.js").Header().Get("ETag"), ask("GET", "/live.d.ts").Header().Get("ETag")
	if !strings.HasPrefix(module, `"`) || len(module) != 34 || module == types {
		t.Fatalf("ETags: got %s and %s, want two strong ones", module, types)
	}
	for _, c := range []struct {
		path, etag string
		want       int
	}{
		{"/live.js", module, http.StatusNotModified},
		{"/live.d.ts", types, http.StatusNotModified},
		{"/live.js", "W/" + module, http.StatusNotModified},
		{"/live.js", types, http.StatusOK},
		{"/live.js", `"old"`, http.StatusOK},
	} {
		if got := ask("GET", c.path, "If-None-Match", c.etag).Code; got != c.want {
			t.Errorf("GET %s with If-None-Match %s: got status %d, want %d", c.path, c.etag, got, c.want)
		}
	}
}

func TestClientRefusesTheRest(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		w := ask(method, "/live.js")
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: got status %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
	for _, path := range []string{"/", "/live", "/live.js/", "/package.json", "/live.js/x", "/tests/fake.js"} {
		if got := ask("GET", path).Code; got != http.StatusNotFound {
			t.Errorf("GET %s: got status %d, want 404", path, got)
		}
	}
}
