package session

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/lazysession/session/internal/jsonvalue"
)

// A Key is the typed name of a session value. Make keys once, as package variables; any number of goroutines may use
// them.
//
// Every method works on the session in the context (FromContext) and returns ErrNoMiddleware where there is none,
// ErrUnavailable where the store does not answer or ctx was done before it was asked, and a ValueError for an invalid
// name. A handler that overlooks an error can't report success: see Session.Degrade.
type Key[T any] struct{ name valueName }

// NewKey returns the key of the values named name: 1 to 255 bytes of UTF-8 without NUL. It panics on another name, for
// keys are made when a program starts.
func NewKey[T any](name string) Key[T] { return Key[T]{mustName(name)} }

// Sub returns the key of one of many values of a kind: NewKey("cart").Sub("42") is "cart/42". id may come from a
// request: an invalid name shows as an error at use. Sub("a/b") and Sub("a").Sub("b") are the same.
func (k Key[T]) Sub(id string) Key[T] { return Key[T]{k.name.sub(id)} }

// Name returns the name of the values.
func (k Key[T]) Name() string { return k.name.text }

// Get returns the value, or the zero T where there is none. A value that does not decode into T is a ValueError.
func (k Key[T]) Get(ctx context.Context) (T, error) {
	v, _, err := k.Lookup(ctx)
	return v, err
}

// Lookup returns the value and whether there is one. A value that does not decode into T is a ValueError.
func (k Key[T]) Lookup(ctx context.Context) (T, bool, error) {
	s := FromContext(ctx)
	doc, ok, err := s.get(ctx, k.name)
	if err != nil || !ok {
		var zero T
		return zero, false, err
	}
	v, err := k.decode(doc)
	return v, err == nil, s.settle(reading(k.name.text), err)
}

// Set changes the value, and makes a session where there is none. A string, or json.RawMessage, that is not UTF-8 is
// refused; within other types encoding/json replaces what is not. The value is stored when the response begins or at
// Session.Commit. Set returns a ValueError for a value that JSON can't hold, ErrTooLarge, ErrEnded, and ErrTooLate
// where it would need a new session and the response has begun.
func (k Key[T]) Set(ctx context.Context, v T) error {
	s := FromContext(ctx)
	doc, err := k.encode(v)
	if err != nil {
		return s.settle(changing(k.name.text), err)
	}
	return s.set(ctx, k.name, doc)
}

// Delete removes the value. Deleting what is not there is no error; ErrEnded says that the session has ended.
func (k Key[T]) Delete(ctx context.Context) error {
	return FromContext(ctx).delete(ctx, k.name)
}

// Take returns the value and removes it; for messages that are shown once there is Flash. Two requests at once may both
// take it: what must be spent once only, a one-time code, say, is a case for Update. A value that does not decode is
// removed as well, and a ValueError.
func (k Key[T]) Take(ctx context.Context) (T, bool, error) {
	s := FromContext(ctx)
	doc, ok, err := s.take(ctx, k.name)
	if err != nil || !ok {
		var zero T
		return zero, false, err
	}
	v, err := k.decode(doc)
	return v, err == nil, s.settle(reading(k.name.text), err)
}

// Update replaces the value by what f makes of it (the zero T where there is none), atomically across every request on
// every node: it stores the result, with all other changes of this request, before it returns. f is called again where
// another request has changed this value meanwhile, so it should have no other effects; it may read and change the
// session, but not commit it. Only this value is sure to be what f has seen: another that f reads may have changed. An
// error of f is returned as it is, and the value stays as it was.
//
// ErrConflict says that others were faster each of many times.
func (k Key[T]) Update(ctx context.Context, f func(T) (T, error)) (T, error) {
	var v T
	s := FromContext(ctx)
	var failed error // of the value, not of f
	err := s.update(ctx, k.name, func(doc string, ok bool) (string, error) {
		var old T
		if ok {
			if old, failed = k.decode(doc); failed != nil {
				return "", failed
			}
		}
		var err error
		if v, err = f(old); err != nil {
			return "", err
		}
		doc, failed = k.encode(v)
		return doc, failed
	})
	if failed != nil {
		s.settle(changing(k.name.text), failed)
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

func (k Key[T]) encode(v T) (string, error) {
	doc, err := jsonvalue.Encode(v)
	if err != nil {
		return "", &ValueError{Name: k.name.text, Err: err}
	}
	return doc, nil
}

func (k Key[T]) decode(doc string) (T, error) {
	v, err := jsonvalue.Decode[T](doc)
	if err != nil {
		return v, &ValueError{Name: k.name.text, Err: err}
	}
	return v, nil
}

// A Counter is the name of an int64 that never loses a count: additions by any number of requests on any nodes add up.
// Make counters once, as package variables; any number of goroutines may use them.
type Counter struct{ key Key[int64] }

// NewCounter returns the counter named name, on the terms of NewKey.
func NewCounter(name string) Counter { return Counter{NewKey[int64](name)} }

// Sub returns the counter of one of many things: NewCounter("hits").Sub("42") is "hits/42". See Key.Sub.
func (c Counter) Sub(id string) Counter { return Counter{c.key.Sub(id)} }

// Name returns the name of the value.
func (c Counter) Name() string { return c.key.Name() }

// Add adds delta, which may be negative, and returns the sum as this request sees it; it makes a session where there is
// none. Concurrent requests may see the same sum, though no addition is ever lost: after a Session.Commit that comes
// before the response begins, Get returns the sum that no other request got. Add returns what Key.Set does, and a
// ValueError where the value is not an integer or the sum would leave int64.
func (c Counter) Add(ctx context.Context, delta int64) (int64, error) {
	return FromContext(ctx).add(ctx, c.key.name, delta)
}

// Get returns the count, 0 where there is none yet.
func (c Counter) Get(ctx context.Context) (int64, error) { return c.key.Get(ctx) }

// A valueName is the name of a value, or why it is not valid.
type valueName struct {
	text string
	err  error
}

const maxName = 255

var errName = errors.New("a name is UTF-8 of 1 to 255 bytes without NUL")

func newName(text string) valueName {
	n := valueName{text: text}
	if text == "" || len(text) > maxName || !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
		n.err = &ValueError{Name: text, Err: errName}
	}
	return n
}

// check returns why the name is not valid. A zero Key or Counter has an empty one.
func (n valueName) check() error {
	if n.text == "" && n.err == nil {
		return newName("").err
	}
	return n.err
}

func mustName(text string) valueName {
	n := newName(text)
	if n.err != nil {
		panic(n.err)
	}
	return n
}

func (n valueName) sub(id string) valueName {
	if n.err != nil {
		return n
	}
	if id == "" {
		return valueName{text: n.text, err: &ValueError{Name: n.text, Err: errors.New("Sub with an empty id")}}
	}
	return newName(n.text + "/" + id)
}
