package promises_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
)

// A passing is a writer that keeps what its optional methods get, and answers them with an error of its own.
type passing struct {
	*base
	err      error
	target   string
	opts     *http.PushOptions
	closed   chan bool
	deadline time.Time
}

func (p *passing) Flush()            { p.note("flush") }
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
