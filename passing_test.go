package session_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
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
	m, _ := newManager(t, nil)
	below := &passing{base: newBase(), err: errors.New("below"), closed: make(chan bool)}
	opts := &http.PushOptions{Method: "HEAD"}
	m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		checkErr(t, "FlushError", w.(interface{ FlushError() error }).FlushError(), below.err)
		checkErr(t, "Push", w.(http.Pusher).Push("/style.css", opts), below.err)
		//lint:ignore SA1019 handlers that still use it keep working
		check(t, "CloseNotify", w.(http.CloseNotifier).CloseNotify(), (<-chan bool)(below.closed))
		checkErr(t, "SetReadDeadline", http.NewResponseController(w).SetReadDeadline(time.Unix(7, 0)), below.err)
	})).ServeHTTP(below, httptest.NewRequest("GET", "/", nil))
	check(t, "target of Push", below.target, "/style.css")
	check(t, "options of Push", below.opts, opts)
	check(t, "read deadline", below.deadline, time.Unix(7, 0))
}
