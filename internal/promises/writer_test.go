package promises_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
)

// A base is a response writer without optional methods that notes its calls in order.
type base struct {
	header http.Header
	log    []string
}

func newBase() *base { return &base{header: make(http.Header)} }

func (b *base) note(what string) { b.log = append(b.log, what) }

func (b *base) Header() http.Header { return b.header }

func (b *base) WriteHeader(status int) { b.note(fmt.Sprint("status ", status)) }

func (b *base) Write(p []byte) (int, error) {
	b.note("write")
	return len(p), nil
}

type (
	flusher       struct{ *base }
	flushErrorer  struct{ *base }
	hijacker      struct{ *base }
	readerFrom    struct{ *base }
	pusher        struct{ *base }
	closeNotifier struct{ *base }
)

func (f flusher) Flush() { f.note("flush") }

func (f flushErrorer) FlushError() error {
	f.note("flush")
	return nil
}

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.note("hijack")
	return nil, nil, nil
}

func (r readerFrom) ReadFrom(src io.Reader) (int64, error) {
	r.note("read from")
	return io.Copy(io.Discard, src)
}

func (p pusher) Push(string, *http.PushOptions) error {
	p.note("push")
	return nil
}

func (c closeNotifier) CloseNotify() <-chan bool { return nil }

// wrapped hides the optional methods of a writer from everything but http.ResponseController.
type wrapped struct{ inner http.ResponseWriter }

func (w wrapped) Header() http.Header         { return w.inner.Header() }
func (w wrapped) WriteHeader(status int)      { w.inner.WriteHeader(status) }
func (w wrapped) Write(p []byte) (int, error) { return w.inner.Write(p) }
func (w wrapped) Unwrap() http.ResponseWriter { return w.inner }

// combinations returns writers with every set of optional methods, and with those sets that the writers of net/http
// have. Each method is promoted from a part of the struct, and all parts share one base.
func combinations(b *base) map[string]http.ResponseWriter {
	type (
		w = http.ResponseWriter
		F = http.Flusher
		H = http.Hijacker
		R = io.ReaderFrom
		P = http.Pusher
		C = http.CloseNotifier //lint:ignore SA1019 handlers that still use it keep working
	)
	f, h, r, p, c := flusher{b}, hijacker{b}, readerFrom{b}, pusher{b}, closeNotifier{b}
	return map[string]http.ResponseWriter{
		"none": struct{ w }{b},
		"F": struct {
			w
			F
		}{b, f},
		"H": struct {
			w
			H
		}{b, h},
		"R": struct {
			w
			R
		}{b, r},
		"P": struct {
			w
			P
		}{b, p},
		"FH": struct {
			w
			F
			H
		}{b, f, h},
		"FR": struct {
			w
			F
			R
		}{b, f, r},
		"FP": struct {
			w
			F
			P
		}{b, f, p},
		"HR": struct {
			w
			H
			R
		}{b, h, r},
		"HP": struct {
			w
			H
			P
		}{b, h, p},
		"RP": struct {
			w
			R
			P
		}{b, r, p},
		"FHR": struct {
			w
			F
			H
			R
		}{b, f, h, r},
		"FHP": struct {
			w
			F
			H
			P
		}{b, f, h, p},
		"FRP": struct {
			w
			F
			R
			P
		}{b, f, r, p},
		"HRP": struct {
			w
			H
			R
			P
		}{b, h, r, p},
		"FHRP": struct {
			w
			F
			H
			R
			P
		}{b, f, h, r, p},
		"FHRC": struct {
			w
			F
			H
			R
			C
		}{b, f, h, r, c}, // HTTP/1
		"FPC": struct {
			w
			F
			P
			C
		}{b, f, p, c}, // HTTP/2
	}
}

// abilitiesOf returns a letter for each type assertion that succeeds.
func abilitiesOf(w http.ResponseWriter) string {
	var letters string
	if _, ok := w.(http.Flusher); ok {
		letters += "F"
	}
	if _, ok := w.(http.Hijacker); ok {
		letters += "H"
	}
	if _, ok := w.(io.ReaderFrom); ok {
		letters += "R"
	}
	if _, ok := w.(http.Pusher); ok {
		letters += "P"
	}
	//lint:ignore SA1019 as above
	if _, ok := w.(http.CloseNotifier); ok {
		letters += "C"
	}
	if letters == "" {
		return "none"
	}
	return letters
}

func TestWriterStaysWhatItWas(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	for want, below := range combinations(newBase()) {
		t.Run(want, func(t *testing.T) {
			expect.Equal(t, "below the middleware", abilitiesOf(below), want)
			m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				expect.Equal(t, "type assertions that succeed", abilitiesOf(w), want)
			})).ServeHTTP(below, httptest.NewRequest("GET", "/", nil))
		})
	}
}

func TestEveryWayToWriteCommitsFirst(t *testing.T) {
	ways := map[string]struct {
		does string
		do   func(w http.ResponseWriter)
	}{
		"F": {"flush", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }},
		"H": {"hijack", func(w http.ResponseWriter) { w.(http.Hijacker).Hijack() }},
		"R": {"read from", func(w http.ResponseWriter) { w.(io.ReaderFrom).ReadFrom(strings.NewReader("text")) }},
		"P": {"push", func(w http.ResponseWriter) { w.(http.Pusher).Push("/", nil) }},
	}
	for name := range combinations(newBase()) {
		for letter, way := range ways {
			if !strings.Contains(name, letter) {
				continue
			}
			t.Run(name+"/"+way.does, func(t *testing.T) {
				m, s := fixture.NewManager(t, nil)
				c := fixture.NewVisitorWith(t, m, "red")
				b := newBase()
				s.OnCommit = func() error { b.note("commit"); return nil }
				want := "commit, " + way.does
				if letter == "P" {
					want = "push, commit" // a push is another response
				}
				h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					expect.OK(t, fixture.Color.Set(r.Context(), "blue"))
					way.do(w)
				}))
				h.ServeHTTP(combinations(b)[name], c.Request("GET", "/", nil))
				expect.Equal(t, "order", strings.Join(b.log, ", "), want)
			})
		}
	}
}

// A method that a writer has only through Unwrap still works, and commits first.
func TestResponseControllerMeetsTheCommitFirst(t *testing.T) {
	type below func(b *base) http.ResponseWriter
	flush := func(c *http.ResponseController) error { return c.Flush() }
	hijack := func(c *http.ResponseController) error { _, _, err := c.Hijack(); return err }
	tests := []struct {
		name  string
		below below
		shows string
		do    func(*http.ResponseController) error
		want  string
	}{
		{"flush, wrapped", func(b *base) http.ResponseWriter { return wrapped{flusher{b}} }, "none", flush, "commit, flush"},
		{"flush, wrapped twice", func(b *base) http.ResponseWriter {
			return wrapped{wrapped{flusher{b}}}
		}, "none", flush, "commit, flush"},
		{"flush with error", func(b *base) http.ResponseWriter { return flushErrorer{b} }, "none", flush, "commit, flush"},
		{"flush with error, wrapped", func(b *base) http.ResponseWriter {
			return wrapped{flushErrorer{b}}
		}, "none", flush, "commit, flush"},
		{"flush", func(b *base) http.ResponseWriter { return flusher{b} }, "F", flush, "commit, flush"},
		{"hijack", func(b *base) http.ResponseWriter { return hijacker{b} }, "H", hijack, "commit, hijack"},
		{"hijack, wrapped", func(b *base) http.ResponseWriter {
			return wrapped{hijacker{b}}
		}, "none", hijack, "commit, hijack"},
		{"flush of two, wrapped", func(b *base) http.ResponseWriter {
			return wrapped{combinations(b)["FH"]}
		}, "none", flush, "commit, flush"},
		{"hijack of two, wrapped", func(b *base) http.ResponseWriter {
			return wrapped{combinations(b)["FH"]}
		}, "none", hijack, "commit, hijack"},
		{"hijack below a flusher", func(b *base) http.ResponseWriter {
			return struct {
				wrapped
				http.Flusher
			}{wrapped{combinations(b)["FH"]}, flusher{b}}
		}, "F", hijack, "commit, hijack"},
		{"flush below a hijacker", func(b *base) http.ResponseWriter {
			return struct {
				wrapped
				http.Hijacker
			}{wrapped{combinations(b)["FH"]}, hijacker{b}}
		}, "H", flush, "commit, flush"},
		{"no flush", func(b *base) http.ResponseWriter { return hijacker{b} }, "H", unsupported(flush), "commit"},
		{"no hijack", func(b *base) http.ResponseWriter { return flusher{b} }, "F", unsupported(hijack), "commit"},
		{"no flush, wrapped", func(b *base) http.ResponseWriter {
			return wrapped{hijacker{b}}
		}, "none", unsupported(flush), "commit"},
		{"no hijack, wrapped", func(b *base) http.ResponseWriter {
			return wrapped{flusher{b}}
		}, "none", unsupported(hijack), "commit"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			c := fixture.NewVisitorWith(t, m, "red")
			b := newBase()
			s.OnCommit = func() error { b.note("commit"); return nil }
			h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				expect.Equal(t, "type assertions that succeed", abilitiesOf(w), test.shows)
				expect.OK(t, fixture.Color.Set(r.Context(), "blue"))
				expect.OK(t, test.do(http.NewResponseController(w)))
				if test.want == "commit" { // asking for what can't be done does not begin the response
					expect.Is(t, "Renew after it", session.FromContext(r.Context()).Renew(), nil)
				}
			}))
			h.ServeHTTP(test.below(b), c.Request("GET", "/", nil))
			expect.Equal(t, "order", strings.Join(b.log, ", "), test.want)
		})
	}
}

// unsupported checks that a writer can't do something.
func unsupported(do func(*http.ResponseController) error) func(*http.ResponseController) error {
	return func(c *http.ResponseController) error {
		if err := do(c); err == nil || !strings.Contains(err.Error(), http.ErrNotSupported.Error()) {
			return fmt.Errorf("got error %v, want %v", err, http.ErrNotSupported)
		}
		return nil
	}
}

// io.Copy of a file reaches the ReadFrom of the server with a type that the kernel can send (sendfile).
func TestSendfileIsKept(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	below := &seesFiles{readerFrom: readerFrom{newBase()}}
	m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(w, tempFile(t, "a file"))
		expect.OK(t, err)
		expect.Equal(t, "bytes copied", n, int64(len("a file")))
	})).ServeHTTP(below, httptest.NewRequest("GET", "/", nil))
	if _, ok := below.src.(syscall.Conn); !ok {
		t.Errorf("ReadFrom below: got a %T, want one with a file descriptor", below.src)
	}
}

type seesFiles struct {
	readerFrom
	src io.Reader
}

func (s *seesFiles) ReadFrom(src io.Reader) (int64, error) {
	s.src = src
	return s.readerFrom.ReadFrom(src)
}

func tempFile(t *testing.T, text string) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.txt")
	expect.OK(t, os.WriteFile(name, []byte(text), 0o600))
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// A passing is a writer that keeps what its optional methods get, and answers them with an error of its own.
type passing struct {
	*base
	err      error
	target   string
	opts     *http.PushOptions
	closed   chan bool
	deadline time.Time
}

func (p *passing) Flush() { p.note("flush") }

func (p *passing) FlushError() error { return p.err }

func (p *passing) Push(target string, opts *http.PushOptions) error {
	p.target, p.opts = target, opts
	return p.err
}

func (p *passing) CloseNotify() <-chan bool { return p.closed }

func (p *passing) SetReadDeadline(t time.Time) error {
	p.deadline = t
	return p.err
}

func TestAbilitiesPassOnWhatTheyGet(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	below := &passing{base: newBase(), err: errors.New("below"), closed: make(chan bool)}
	opts := &http.PushOptions{Method: "HEAD"}
	m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		expect.Is(t, "FlushError", w.(interface{ FlushError() error }).FlushError(), below.err)
		expect.Is(t, "Push", w.(http.Pusher).Push("/style.css", opts), below.err)
		//lint:ignore SA1019 handlers that still use it keep working
		expect.Equal(t, "CloseNotify", w.(http.CloseNotifier).CloseNotify(), (<-chan bool)(below.closed))
		expect.Is(t, "SetReadDeadline", http.NewResponseController(w).SetReadDeadline(time.Unix(7, 0)), below.err)
	})).ServeHTTP(below, httptest.NewRequest("GET", "/", nil))
	expect.Equal(t, "target of Push", below.target, "/style.css")
	expect.Equal(t, "options of Push", below.opts, opts)
	expect.Equal(t, "read deadline", below.deadline, time.Unix(7, 0))
}

// A goroutine may ask for the header after its request has ended. It must not read the header of another request.
func TestWriterAfterTheRequest(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
	var wg sync.WaitGroup
	for range 200 {
		w := fixture.Discard{"X-One": {"1"}}
		m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wg.Go(func() {
				for range 50 {
					w.Header()
					runtime.Gosched()
				}
			})
		})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		w2 := fixture.Discard{"X-One": {"1"}}
		m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			expect.OK(t, fixture.Color.Set(r.Context(), "red"))
		})).ServeHTTP(w2, httptest.NewRequest("GET", "/", nil))
	}
	wg.Wait()
}
