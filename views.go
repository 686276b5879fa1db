package session

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// Handlers ask by type assertion what their ResponseWriter can do. So the one they get must have exactly the optional
// methods of the one below it: each combination is a type. All of them are one pointer to the exchange, which an
// interface holds without an allocation; each adds one method to a smaller one.

type (
	viewF struct{ *exchange } // Flush
	viewH struct{ *exchange } // Hijack
	viewR struct{ *exchange } // ReadFrom
	viewP struct{ *exchange } // Push

	viewFH struct{ viewF }
	viewFR struct{ viewF }
	viewFP struct{ viewF }
	viewHR struct{ viewH }
	viewHP struct{ viewH }
	viewRP struct{ viewR }

	viewFHR struct{ viewFH }
	viewFHP struct{ viewFH }
	viewFRP struct{ viewFR }
	viewHRP struct{ viewHR }

	viewFHRP struct{ viewFHR }

	// The writers of net/http also have the deprecated CloseNotify, and the methods that http.ResponseController looks for.
	viewHTTP1 struct{ viewFHR }
	viewHTTP2 struct{ viewFP }

	// Unwrap returns one of these where only a writer further down can flush or be hijacked. Without it
	// http.ResponseController would find that writer and begin the response before the commit. A type assertion still
	// finds the same methods as before.
	guardF  struct{ viewF }
	guardH  struct{ viewH }
	guardFH struct{ viewFH }
)

func (v viewF) Flush()            { v.flush() } // FlushError is for handlers that want the error
func (v viewF) FlushError() error { return v.flush() }

func (v viewH) Hijack() (net.Conn, *bufio.ReadWriter, error)  { return v.hijack() }
func (v viewFH) Hijack() (net.Conn, *bufio.ReadWriter, error) { return v.hijack() }

func (v viewR) ReadFrom(r io.Reader) (int64, error)   { return v.readFrom(r) }
func (v viewFR) ReadFrom(r io.Reader) (int64, error)  { return v.readFrom(r) }
func (v viewHR) ReadFrom(r io.Reader) (int64, error)  { return v.readFrom(r) }
func (v viewFHR) ReadFrom(r io.Reader) (int64, error) { return v.readFrom(r) }

func (v viewP) Push(target string, opts *http.PushOptions) error    { return v.push(target, opts) }
func (v viewFP) Push(target string, opts *http.PushOptions) error   { return v.push(target, opts) }
func (v viewHP) Push(target string, opts *http.PushOptions) error   { return v.push(target, opts) }
func (v viewRP) Push(target string, opts *http.PushOptions) error   { return v.push(target, opts) }
func (v viewFHP) Push(target string, opts *http.PushOptions) error  { return v.push(target, opts) }
func (v viewFRP) Push(target string, opts *http.PushOptions) error  { return v.push(target, opts) }
func (v viewHRP) Push(target string, opts *http.PushOptions) error  { return v.push(target, opts) }
func (v viewFHRP) Push(target string, opts *http.PushOptions) error { return v.push(target, opts) }

func (g guardF) Unwrap() http.ResponseWriter  { return g.w }
func (g guardH) Unwrap() http.ResponseWriter  { return g.w }
func (g guardFH) Unwrap() http.ResponseWriter { return g.w }

func (v viewHTTP1) CloseNotify() <-chan bool { return v.closeNotify() }
func (v viewHTTP2) CloseNotify() <-chan bool { return v.closeNotify() }

// Handlers should reach these through http.ResponseController; net/http's own writers also have them directly.

func (v viewHTTP1) EnableFullDuplex() error            { return v.controller().EnableFullDuplex() }
func (v viewHTTP1) SetReadDeadline(t time.Time) error  { return v.controller().SetReadDeadline(t) }
func (v viewHTTP1) SetWriteDeadline(t time.Time) error { return v.controller().SetWriteDeadline(t) }
func (v viewHTTP2) EnableFullDuplex() error            { return v.controller().EnableFullDuplex() }
func (v viewHTTP2) SetReadDeadline(t time.Time) error  { return v.controller().SetReadDeadline(t) }
func (v viewHTTP2) SetWriteDeadline(t time.Time) error { return v.controller().SetWriteDeadline(t) }

func (x *exchange) controller() *http.ResponseController { return http.NewResponseController(x.w) }

func (x *exchange) push(target string, opts *http.PushOptions) error {
	return x.w.(http.Pusher).Push(target, opts)
}

func (x *exchange) closeNotify() <-chan bool {
	return x.w.(http.CloseNotifier).CloseNotify() //lint:ignore SA1019 handlers that still use it keep working
}

// The abilities of a ResponseWriter, as bits.
const (
	canFlush = 1 << iota
	canHijack
	canReadFrom
	canPush
)

// writer returns the exchange as a ResponseWriter with the abilities of the one below.
func (x *exchange) writer() http.ResponseWriter {
	_, notifies := x.w.(http.CloseNotifier) //lint:ignore SA1019 see closeNotify
	switch abilities(x.w) {
	case canFlush | canHijack | canReadFrom:
		if notifies {
			return viewHTTP1{viewFHR{viewFH{viewF{x}}}}
		}
		return viewFHR{viewFH{viewF{x}}}
	case canFlush | canPush:
		if notifies {
			return viewHTTP2{viewFP{viewF{x}}}
		}
		return viewFP{viewF{x}}
	case canFlush:
		return viewF{x}
	case canHijack:
		return viewH{x}
	case canReadFrom:
		return viewR{x}
	case canPush:
		return viewP{x}
	case canFlush | canHijack:
		return viewFH{viewF{x}}
	case canFlush | canReadFrom:
		return viewFR{viewF{x}}
	case canHijack | canReadFrom:
		return viewHR{viewH{x}}
	case canHijack | canPush:
		return viewHP{viewH{x}}
	case canReadFrom | canPush:
		return viewRP{viewR{x}}
	case canFlush | canHijack | canPush:
		return viewFHP{viewFH{viewF{x}}}
	case canFlush | canReadFrom | canPush:
		return viewFRP{viewFR{viewF{x}}}
	case canHijack | canReadFrom | canPush:
		return viewHRP{viewHR{viewH{x}}}
	case canFlush | canHijack | canReadFrom | canPush:
		return viewFHRP{viewFHR{viewFH{viewF{x}}}}
	default:
		return x
	}
}

// abilities returns what w can do.
func abilities(w http.ResponseWriter) (bits int) {
	if _, ok := w.(http.Flusher); ok {
		bits |= canFlush
	}
	if _, ok := w.(http.Hijacker); ok {
		bits |= canHijack
	}
	if _, ok := w.(io.ReaderFrom); ok {
		bits |= canReadFrom
	}
	if _, ok := w.(http.Pusher); ok {
		bits |= canPush
	}
	return bits
}

// Unwrap is for http.ResponseController, which looks in the writer below for methods that this one has not: deadlines
// and full duplex.
func (x *exchange) Unwrap() http.ResponseWriter {
	above := abilities(x.w)
	flushes := above&canFlush == 0 && reaches(x.w, flushesNow)
	hijacks := above&canHijack == 0 && reaches(x.w, hijacksNow)
	switch {
	case flushes && hijacks:
		return guardFH{viewFH{viewF{x}}}
	case flushes:
		return guardF{viewF{x}}
	case hijacks:
		return guardH{viewH{x}}
	}
	return x.w
}

// reaches reports whether w, or a writer that it wraps, has an ability.
func reaches(w http.ResponseWriter, able func(http.ResponseWriter) bool) bool {
	for !able(w) {
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = outer.Unwrap()
	}
	return true
}

func flushesNow(w http.ResponseWriter) bool {
	if _, ok := w.(http.Flusher); ok {
		return true
	}
	_, ok := w.(interface{ FlushError() error })
	return ok
}

func hijacksNow(w http.ResponseWriter) bool {
	_, ok := w.(http.Hijacker)
	return ok
}
