package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
)

// Error answers a request with an error of this package. It is what a handler does with an error that it has no better
// answer to:
//
//	n, err := visits.Add(r.Context(), 1)
//	if err != nil {
//		session.Error(w, r, err)
//		return
//	}
//
// The status is 503 with Retry-After for ErrUnavailable and for a context that is done, 409 for ErrEnded and
// ErrConflict, 413 for ErrTooLarge, and 500 for any other error. The body is a sentence in English, as JSON
// ({"error":"…"}) where the client asks for that, else as plain text. Neither says what the error does: that goes to
// Config.Logger, or to slog.Default where the request has no session, at the level Error for a status of 500 and more,
// else Info. A client that has gone is worth an Info as well.
func Error(w http.ResponseWriter, r *http.Request, err error) {
	answerError(w, r, err, "session: request failed")
}

// answerError is Error with the message of its log record.
func answerError(w http.ResponseWriter, r *http.Request, err error, message string) {
	status, text := answerTo(err)
	level := slog.LevelError
	if status < http.StatusInternalServerError || errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		level = slog.LevelInfo // it is the client's affair
	}
	logOf(r).LogAttrs(r.Context(), level, message, slog.Int("status", status),
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Any("error", err))
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	if wantsJSON(r) {
		for _, name := range []string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified", "Cache-Control"} {
			w.Header().Del(name) // as http.Error does
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(status)
		fmt.Fprintf(w, "{\"error\":%q}\n", text)
		return
	}
	http.Error(w, text, status)
}

// retryAfter is in seconds. A store that fails over is back in about that time.
const retryAfter = "2"

// answerTo returns the status and the text of the answer to an error.
func answerTo(err error) (status int, text string) {
	switch {
	case errors.Is(err, ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, "Sessions are unavailable. Nothing may have been saved. Try again."
	case errors.Is(err, ErrEnded), errors.Is(err, ErrConflict):
		return http.StatusConflict, "The session has ended or changed meanwhile. Nothing was saved. Load the page again."
	case errors.Is(err, ErrTooLarge):
		return http.StatusRequestEntityTooLarge, "The session has no room for this. Nothing was saved."
	default:
		return http.StatusInternalServerError, "The session could not be used or saved."
	}
}

// logOf returns the Logger of the Manager that a request has passed.
func logOf(r *http.Request) *slog.Logger {
	if m := FromContext(r.Context()).m; m != nil {
		return m.log
	}
	return slog.Default()
}

func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}

// An answer is the response to a refused request. It is gathered before any of it is sent, so that it goes out complete
// and with its length, whatever the handler does meanwhile.
type answer struct {
	header http.Header // of the response itself
	why    error
	status int // 0 until the header is written
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if invalid(status) {
		panic(fmt.Sprintf("session: OnError: invalid status %d", status)) // as net/http does, but before anything is sent
	}
	if a.status == 0 && status >= http.StatusOK { // 1xx is no answer
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	status, _ := answerTo(a.why) // what was refused is no success unless OnError says so
	a.WriteHeader(status)
	return a.body.Write(b)
}

// sendTo sends the answer as a whole.
func (a *answer) sendTo(w http.ResponseWriter) {
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		a.header.Set("Content-Length", strconv.Itoa(a.body.Len()))
	}
	w.WriteHeader(a.status)
	if a.body.Len() > 0 {
		w.Write(a.body.Bytes()) // a client that has gone misses nothing
	}
}
