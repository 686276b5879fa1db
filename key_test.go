package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/sessiontest"
)

type (
	userID   int
	colour   string
	settings struct {
		Theme string         `json:"theme"`
		Sizes map[string]int `json:"sizes,omitempty"`
		Next  *settings      `json:"next,omitempty"`
	}
	// length is a type that encodes itself.
	length uint32
)

func (h length) MarshalText() ([]byte, error) { return []byte(strings.Repeat("f", int(h))), nil }

func (h *length) UnmarshalText(text []byte) error { *h = length(len(text)); return nil }

// raw returns its text from MarshalJSON, valid or not.
type raw string

func (r raw) MarshalJSON() ([]byte, error) {
	if r == "" {
		return nil, errors.New("nothing to say")
	}
	return []byte(r), nil
}

// A valueTest stores a value in a session and reads it again.
type valueTest struct {
	name string
	run  func(t *testing.T, m *session.Manager)
}

// value checks that v comes back from another session of the same token as encoding/json would bring it back.
func value[T any](name string, v T) valueTest {
	return valueTest{name, func(t *testing.T, m *session.Manager) {
		doc, err := json.Marshal(v)
		expect.OK(t, err)
		var want T
		expect.OK(t, json.Unmarshal(doc, &want))

		key := session.NewKey[T]("value")
		got, stored := through(t, m, key, v)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %#v, want %#v", got, want)
		}
		expect.Equal(t, "what is stored is JSON: "+stored, json.Valid([]byte(stored)), true)

		var again T
		expect.OK(t, json.Unmarshal([]byte(stored), &again))
		if !reflect.DeepEqual(again, want) {
			t.Errorf("encoding/json reads %#v from %s, want %#v", again, stored, want)
		}
	}}
}

// through sets a value in one session, commits, and reads it by the token in another.
func through[T any](t *testing.T, m *session.Manager, key session.Key[T], v T) (got T, stored string) {
	t.Helper()
	s, err := m.Create(t.Context())
	expect.OK(t, err)
	expect.OK(t, key.Set(session.NewContext(t.Context(), s), v))
	expect.OK(t, s.Commit(t.Context()))
	token, err := s.Token()
	expect.OK(t, err)
	s, err = m.Open(t.Context(), token)
	expect.OK(t, err)
	got, ok, err := key.Lookup(session.NewContext(t.Context(), s))
	expect.OK(t, err)
	expect.Equal(t, "there is a value", ok, true)
	docs, err := s.Values()
	expect.OK(t, err)
	return got, string(docs[key.Name()])
}

func TestValuesComeBack(t *testing.T) {
	zone := time.FixedZone("", -9*3600-30*60)
	m, _ := fixture.NewManager(t, &session.Config{MaxBytes: 1 << 20})
	for _, tt := range []valueTest{
		value("int", 42),
		value("int, least", math.MinInt),
		value("int, greatest", math.MaxInt),
		value("int8, least", int8(math.MinInt8)),
		value("int8, greatest", int8(math.MaxInt8)),
		value("int16, least", int16(math.MinInt16)),
		value("int16, greatest", int16(math.MaxInt16)),
		value("int32, least", int32(math.MinInt32)),
		value("int32, greatest", int32(math.MaxInt32)),
		value("int64, least", int64(math.MinInt64)),
		value("int64, greatest", int64(math.MaxInt64)),
		value("int64, more than a float64 holds", int64(1<<53+1)),
		value("uint", uint(math.MaxUint)),
		value("uint8", uint8(math.MaxUint8)),
		value("uint16", uint16(math.MaxUint16)),
		value("uint32", uint32(math.MaxUint32)),
		value("uint64", uint64(math.MaxUint64)),
		value("zero", 0),
		value("float64", 0.1),
		value("float64, integral", 3.0),
		value("float64, negative zero", math.Copysign(0, -1)),
		value("float64, greatest", math.MaxFloat64),
		value("float64, least above zero", math.SmallestNonzeroFloat64),
		value("float64, 1e21", 1e21),
		value("float32", float32(0.1)),
		value("float32, greatest", float32(math.MaxFloat32)),
		value("float32, least above zero", float32(math.SmallestNonzeroFloat32)),
		value("true", true),
		value("false", false),
		value("string, empty", ""),
		value("string", "hello"),
		value("string, not ASCII", "grüße, 世界 😀"),
		value("string, what JSON escapes", "\"\\/\b\f\n\r\t\x00\x1f\x7f"),
		value("string, what HTML escapes", "<script>&</script>\u2028\u2029"),
		value("string, U+FFFD itself", "\ufffd"),
		value("string, 64 KiB", strings.Repeat("x", 64<<10)),
		value("[]byte", []byte{0, 1, 0xff}),
		value("[]byte, empty", []byte{}),
		value("[]byte, nil", []byte(nil)),
		value("[]byte, 64 KiB", make([]byte, 64<<10)),
		value("time, in UTC", time.Date(2026, 2, 28, 23, 59, 59, 999999999, time.UTC)),
		value("time, in another zone", time.Date(2026, 2, 28, 23, 59, 59, 1, zone)),
		value("time, with a monotonic reading", time.Now()),
		value("time, zero", time.Time{}),
		value("time, in the year 9999", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)),
		value("time, in the year 0", time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)),
		value("raw, object", json.RawMessage(`{"a":[1,2,{"b":null}]}`)),
		value("raw, lone surrogate", json.RawMessage(`"\ud800"`)),
		value("raw, number beyond float64", json.RawMessage(`1e999`)),
		value("raw, nil", json.RawMessage(nil)),
		value("named int", userID(7)),
		value("named string", colour("red")),
		value("type that encodes itself", length(3)),
		value("struct", settings{Theme: "dark", Sizes: map[string]int{"h1": 3}, Next: &settings{}}),
		value("struct, zero", settings{}),
		value("pointer", &settings{Theme: "dark"}),
		value("pointer, nil", (*settings)(nil)),
		value("pointer to int", new(5)),
		value("pointer to pointer", new(new("x"))),
		value("map", map[string][]int{"a": {1}, "": nil}),
		value("map, nil", map[string]int(nil)),
		value("slice", []string{"a", ""}),
		value("slice, empty", []string{}),
		value("slice, nil", []string(nil)),
		value("array", [2]bool{true, false}),
		value("any, number", any(1.5)),
		value("any, int", any(7)),
		value("any, string", any("x")),
		value("any, nil", any(nil)),
		value("json.Number", json.Number("12345678901234567890")),
		value("time.Duration", time.Hour),
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, m) })
	}
}

// encoding/json keeps these except for white space, or changes them. A session returns them exactly.
func TestValuesComeBackExactly(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	doc := json.RawMessage("{ \"b\" : 1.50,\n\"a\":\"\\u0041<\" }")
	got, _ := through(t, m, session.NewKey[json.RawMessage]("value"), doc)
	expect.Equal(t, "raw message", string(got), string(doc))

	amsterdam := time.FixedZone("AMT", 1172) // as it was until 1937: 19 minutes and 32 seconds
	for _, when := range []time.Time{
		time.Date(1900, 1, 1, 12, 0, 0, 0, amsterdam),
		time.Date(1900, 1, 1, 12, 0, 0, 0, time.FixedZone("", -1)),
	} {
		got, _ := through(t, m, session.NewKey[time.Time]("value"), when)
		expect.Equal(t, "time in a zone with seconds", got.UTC(), when.UTC())
	}
}

type refusedTest struct {
	name string
	set  func(ctx context.Context) error
}

func refused[T any](name string, v T) refusedTest {
	return refusedTest{name, func(ctx context.Context) error { return session.NewKey[T]("value").Set(ctx, v) }}
}

func TestValuesThatJSONCannotHoldAreRefused(t *testing.T) {
	for _, tt := range []refusedTest{
		refused("NaN", math.NaN()),
		refused("infinity", math.Inf(1)),
		refused("infinity below", math.Inf(-1)),
		refused("float32 infinity", float32(math.Inf(1))),
		refused("NaN in a struct", struct{ F float64 }{math.NaN()}),
		refused("a string that is not UTF-8", "a\xff"),
		refused("a string with half a character", "\xe4\xb8"),
		refused("a string with a surrogate in UTF-8", "\xed\xa0\x80"),
		refused("a string that is not UTF-8, as any", any("a\xff")),
		refused("an empty raw message", json.RawMessage{}),
		refused("a raw message that is not JSON", json.RawMessage(`{"a":}`)),
		refused("two raw messages", json.RawMessage(`1 2`)),
		refused("a raw message that is not UTF-8", json.RawMessage("\"\xff\"")),
		refused("a raw message with NUL", json.RawMessage("\"\x00\"")),
		refused("a type that encodes itself as no JSON", raw("{")),
		refused("a type that encodes itself as no UTF-8", raw("\"\xff\"")),
		refused("a type that does not encode itself", raw("")),
		refused("a time after the year 9999", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)),
		refused("a time before the year 0", time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)),
		refused("a time in a zone of a day", time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("", 24*3600))),
		refused("a json.Number that is none", json.Number("1x")),
		refused("a channel", make(chan int)),
		refused("a function", func() {}),
		refused("a complex number", 1i),
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := fixture.NewManager(t, nil)
			w := httptest.NewRecorder()
			m.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				err := tt.set(r.Context())
				var broken *session.ValueError
				if !errors.As(err, &broken) || broken.Name != "value" || broken.Err == nil {
					t.Errorf("Set: got error %v, want a ValueError of %q with its cause", err, "value")
				}
			})).ServeHTTP(w, httptest.NewRequest("GET", "https://example.com/", nil))
			expect.Equal(t, "store calls", s.Take(), fixture.Calls{})
			expect.Equal(t, "cookies set", len(w.Result().Cookies()), 0)
		})
	}
}

// A deploy has changed the type of a value. That value can't be read, but it can be replaced, and all others can be
// read.
func TestReadsAsAnotherType(t *testing.T) {
	type wrongRead struct {
		name string
		doc  string
		get  func(ctx context.Context) error
	}
	for _, tt := range []wrongRead{
		{"a string as int", `"x"`, reads[int]},
		{"a float as int", `1.5`, reads[int]},
		{"too great an int8", `128`, reads[int8]},
		{"too great an int64", `9223372036854775808`, reads[int64]},
		{"a negative uint", `-1`, reads[uint]},
		{"too great a float", `1e999`, reads[float64]},
		{"a number as string", `1`, reads[string]},
		{"a number as bool", `1`, reads[bool]},
		{"a string as bool", `"true"`, reads[bool]},
		{"no base64 as bytes", `"*"`, reads[[]byte]},
		{"no time as time", `"yesterday"`, reads[time.Time]},
		{"an array as struct", `[]`, reads[settings]},
		{"an object as slice", `{}`, reads[[]int]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := fixture.NewManager(t, nil)
			_, s := fixture.Issue(t, m, "alice")
			ctx := session.NewContext(t.Context(), s)
			expect.OK(t, session.NewKey[json.RawMessage]("value").Set(ctx, json.RawMessage(tt.doc)))
			expect.OK(t, s.Commit(ctx))

			err := tt.get(ctx)
			var broken *session.ValueError
			if !errors.As(err, &broken) || broken.Name != "value" {
				t.Errorf("Get: got error %v, want a ValueError of %q", err, "value")
			}
			name, err := fixture.Who.Get(ctx)
			expect.Is(t, "reading another value", err, nil)
			expect.Equal(t, "another value", name, "alice")

			expect.OK(t, session.NewKey[int]("value").Set(ctx, 1))
			expect.OK(t, s.Commit(ctx))
			n, err := session.NewKey[int]("value").Get(ctx)
			expect.Is(t, "reading the value that replaced it", err, nil)
			expect.Equal(t, "the value that replaced it", n, 1)
		})
	}
}

// reads returns the error of reading a value, and checks that with an error there is no value.
func reads[T any](ctx context.Context) error {
	got, ok, err := session.NewKey[T]("value").Lookup(ctx)
	if err != nil && (ok || !reflect.ValueOf(&got).Elem().IsZero()) {
		return errors.New("a value came with the error")
	}
	return err
}

func TestTakeRemovesWhatDoesNotDecode(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	_, s := fixture.Issue(t, m, "alice")
	ctx := session.NewContext(t.Context(), s)
	_, _, err := session.NewKey[int]("who").Take(ctx)
	var broken *session.ValueError
	expect.Equal(t, "Take returns a ValueError", errors.As(err, &broken), true)
	_, ok, err := fixture.Who.Lookup(ctx)
	expect.Is(t, "Lookup after Take", err, nil)
	expect.Equal(t, "the value is still there", ok, false)
}

// As in encoding/json, null is the zero value of any type.
func TestNullReadsAsZero(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	s, err := m.Create(t.Context())
	expect.OK(t, err)
	ctx := session.NewContext(t.Context(), s)
	expect.OK(t, session.NewKey[json.RawMessage]("value").Set(ctx, json.RawMessage("null")))
	for name, get := range map[string]func(context.Context) error{
		"int": reads[int], "float64": reads[float64], "bool": reads[bool], "string": reads[string], "[]byte": reads[[]byte],
		"time.Time": reads[time.Time], "struct": reads[settings], "pointer": reads[*settings],
	} {
		expect.Is(t, "null as "+name, get(ctx), nil)
	}
}

// After the first use, a read of a common type costs no allocation.
func TestAllocationsOfGet(t *testing.T) {
	m, _ := fixture.NewManager(t, nil)
	_, s := fixture.Issue(t, m, "alice")
	ctx := session.NewContext(t.Context(), s)
	number, text, flag := session.NewKey[int]("int"), session.NewKey[string]("string"), session.NewKey[bool]("bool")
	float, count := session.NewKey[float64]("float"), session.NewCounter("counter")
	expect.OK(t, number.Set(ctx, 1234567))
	expect.OK(t, text.Set(ctx, "a text that is longer than any small buffer would be"))
	expect.OK(t, flag.Set(ctx, true))
	expect.OK(t, float.Set(ctx, 0.25))
	_, err := count.Add(ctx, 3)
	expect.OK(t, err)
	expect.OK(t, s.Commit(ctx))
	for _, tt := range []struct {
		name string
		get  func()
	}{
		{"int", func() { number.Get(ctx) }},
		{"string", func() { text.Get(ctx) }},
		{"bool", func() { flag.Get(ctx) }},
		{"float64", func() { float.Get(ctx) }},
		{"counter", func() { count.Get(ctx) }},
	} {
		if n := testing.AllocsPerRun(100, tt.get); n != 0 {
			t.Errorf("Get of %s: got %v allocations, want 0", tt.name, n)
		}
	}
}

func TestNamesOfValues(t *testing.T) {
	for _, tt := range []struct {
		name string
		ok   bool
	}{
		{"a", true},
		{"user name", true},
		{"größe", true},
		{"\n", true},
		{"a/b/c", true},
		{"/", true},
		{strings.Repeat("n", 255), true},
		{strings.Repeat("ü", 127) + "n", true}, // 255 bytes
		{"", false},
		{strings.Repeat("n", 256), false},
		{strings.Repeat("ü", 128), false}, // 256 bytes
		{"a\x00", false},
		{"\x00", false},
		{"a\xff", false},
		{"\xed\xa0\x80", false},
	} {
		for kind, newKey := range map[string]func(string){
			"NewKey":     func(name string) { session.NewKey[int](name) },
			"NewCounter": func(name string) { session.NewCounter(name) },
		} {
			said := saidInPanic(func() { newKey(tt.name) })
			expect.Equal(t, kind+" with "+tt.name+" is accepted", said == "", tt.ok)
			if !tt.ok && !strings.Contains(said, "a name is UTF-8 of 1 to 255 bytes without NUL") {
				t.Errorf("%s with %q panics with %q: want it to say what a name is", kind, tt.name, said)
			}
		}
		if tt.name != "" {
			err := session.NewKey[int]("x").Sub(tt.name).Set(t.Context(), 1)
			var broken *session.ValueError
			longer := len("x/"+tt.name) > 255
			expect.Equal(t, "Sub with "+tt.name+" is refused at use", errors.As(err, &broken), !tt.ok || longer)
		}
	}
}

// saidInPanic returns the message of f's panic, empty where there is none.
func saidInPanic(f func()) (message string) {
	defer func() {
		if err, ok := recover().(error); ok {
			message = err.Error()
		}
	}()
	f()
	return ""
}

// An id may come from a request, so a bad one causes an error at every use, never a panic.
func TestSubWithABadID(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	_, alice := fixture.Issue(t, m, "alice")
	s.Take()
	ctx := session.NewContext(t.Context(), alice)
	for name, id := range map[string]string{
		"empty": "", "NUL": "a\x00", "not UTF-8": "\xff", "256 bytes with the key": strings.Repeat("x", 254),
	} {
		k, c := session.NewKey[int]("k").Sub(id), session.NewCounter("k").Sub(id)
		_, getErr := k.Get(ctx)
		_, _, lookupErr := k.Lookup(ctx)
		_, _, takeErr := k.Take(ctx)
		_, updateErr := k.Update(ctx, func(n int) (int, error) { t.Error("f was called"); return n, nil })
		_, addErr := c.Add(ctx, 1)
		_, countErr := c.Get(ctx)
		_, subErr := k.Sub("fine").Get(ctx)
		for op, err := range map[string]error{
			"Get": getErr, "Lookup": lookupErr, "Take": takeErr, "Update": updateErr, "Set": k.Set(ctx, 1),
			"Delete": k.Delete(ctx), "Counter.Add": addErr, "Counter.Get": countErr, "Get of a Sub of it": subErr,
		} {
			var broken *session.ValueError
			if !errors.As(err, &broken) {
				t.Errorf("%s with an id that is %s: got error %v, want a ValueError", op, name, err)
			}
		}
	}
	expect.Equal(t, "store calls", s.Take(), fixture.Calls{})
}

func TestSubMakesNames(t *testing.T) {
	expect.Equal(t, "Key.Sub", session.NewKey[int]("cart").Sub("42").Name(), "cart/42")
	expect.Equal(t, "Key.Sub twice", session.NewKey[int]("a").Sub("b").Sub("c").Name(),
		session.NewKey[int]("a").Sub("b/c").Name())
	expect.Equal(t, "Counter.Sub", session.NewCounter("hits").Sub("42").Name(), "hits/42")
	expect.Equal(t, "255 bytes together", len(session.NewKey[int]("k").Sub(strings.Repeat("x", 253)).Name()), 255)
}

func TestNextTakesOneRoundTrip(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	v := fixture.NewVisitor(t, m)
	next := func(ctx context.Context) int64 {
		t.Helper()
		n, err := fixture.Hits.Next(ctx)
		expect.OK(t, err)
		return n
	}
	v.Visit(func(ctx context.Context) { expect.Equal(t, "number of a new session", next(ctx), 1) })
	expect.Equal(t, "store calls", s.Take(), fixture.Calls{Commits: 1})
	v.Visit(func(ctx context.Context) {
		expect.Equal(t, "number", next(ctx), 2)
		expect.Equal(t, "store calls of the first use", s.Take(), fixture.Calls{Loads: 1, Commits: 1})
		expect.Equal(t, "number", next(ctx), 3)
		expect.Equal(t, "store calls", s.Take(), fixture.Calls{Commits: 1})
	})
	expect.Equal(t, "store calls after Next", s.Take(), fixture.Calls{})
}

// Each request has loaded the session before any of them counts, so that its record is old.
func TestNextGivesNoNumberTwice(t *testing.T) {
	const requests, goroutines, each = 8, 4, 5
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	var (
		ready, done sync.WaitGroup
		mu          sync.Mutex
		numbers     []int64
	)
	ready.Add(requests)
	for range requests {
		tab := v.Clone()
		done.Go(func() {
			tab.Visit(func(ctx context.Context) {
				fixture.Holds(t, ctx, fixture.User, "ann")
				ready.Done()
				ready.Wait()
				var counting sync.WaitGroup
				defer counting.Wait()
				for range goroutines {
					counting.Go(func() {
						for range each {
							n, err := fixture.Hits.Next(ctx)
							expect.OK(t, err)
							mu.Lock()
							numbers = append(numbers, n)
							mu.Unlock()
						}
					})
				}
			})
		})
	}
	done.Wait()
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != int64(i)+1 {
			t.Fatalf("numbers: got %v, want each from 1 to %d once", numbers, len(numbers))
		}
	}
	expect.Equal(t, "numbers", len(numbers), requests*goroutines*each)
}

func TestNextCommitsWhatElseHasChanged(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) {
		expect.OK(t, fixture.User.Set(ctx, "ann"))
		_, err := fixture.Hits.Add(ctx, 5)
		expect.OK(t, err)
		n, err := fixture.Hits.Next(ctx)
		expect.OK(t, err)
		expect.Equal(t, "number", n, 6)
		token, err := session.FromContext(ctx).Token()
		expect.OK(t, err)
		s, err := v.Site.Open(t.Context(), token)
		expect.OK(t, err)
		fixture.Holds(t, session.NewContext(t.Context(), s), fixture.User, "ann")
	})
}

func TestNextAfterTheResponseBegan(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	fixture.NewVisitor(t, v.Site).Stream(func(ctx context.Context, begin func()) {
		begin()
		_, err := fixture.Hits.Next(ctx)
		expect.Is(t, "Next without a session", err, session.ErrTooLate)
	})
	v.Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
	v.Stream(func(ctx context.Context, begin func()) {
		begin()
		n, err := fixture.Hits.Next(ctx)
		expect.OK(t, err)
		expect.Equal(t, "number", n, 1)
	})
}

func TestNextOutsideHTTP(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	job, err := m.Create(t.Context())
	expect.OK(t, err)
	s.Take()
	n, err := fixture.Hits.Next(session.NewContext(t.Context(), job))
	expect.OK(t, err)
	expect.Equal(t, "number", n, 1)
	expect.Equal(t, "store calls", s.Take(), fixture.Calls{Commits: 1})
}

func TestNextFails(t *testing.T) {
	m, s := fixture.NewManager(t, nil)
	v := fixture.NewVisitor(t, m)
	text := session.NewKey[string](fixture.Hits.Name())
	v.Visit(func(ctx context.Context) { expect.OK(t, text.Set(ctx, "many")) })
	v.Visit(func(ctx context.Context) {
		_, err := fixture.Hits.Next(ctx)
		var value *session.ValueError
		expect.Equal(t, "Next of a text is a ValueError", errors.As(err, &value), true)
		expect.OK(t, text.Delete(ctx))
		n, err := fixture.Hits.Next(ctx)
		expect.OK(t, err)
		expect.Equal(t, "number", n, 1)
	})
	// The text is unseen: another request has set it meanwhile.
	v.Visit(func(ctx context.Context) {
		_, err := fixture.Hits.Get(ctx)
		expect.OK(t, err)
		v.Clone().Visit(func(ctx context.Context) { expect.OK(t, text.Set(ctx, "many")) })
		expect.OK(t, fixture.User.Set(ctx, "ann"))
		_, err = fixture.Hits.Next(ctx)
		var value *session.ValueError
		expect.Equal(t, "Next of a text is a ValueError", errors.As(err, &value), true)
		expect.OK(t, session.FromContext(ctx).Commit(ctx)) // of the name, without the count
	})
	v.Visit(func(ctx context.Context) {
		fixture.Holds(t, ctx, fixture.User, "ann")
		expect.OK(t, text.Delete(ctx))
		s.Broken.Fail(fixture.ErrStore, sessiontest.Commit)
		_, err := fixture.Hits.Next(ctx)
		expect.Is(t, "Next", err, session.ErrUnavailable)
		s.Broken.Mend()
	})
	var zero session.Counter
	_, err := zero.Next(t.Context())
	if err == nil {
		t.Error("Next of a zero Counter: got no error")
	}
	_, err = fixture.Hits.Next(t.Context())
	expect.Is(t, "Next without the middleware", err, session.ErrNoMiddleware)
}

// Every pair of changes to one name is made in one request, with and without a commit between them.
func TestChangesOfOneNameCombine(t *testing.T) {
	set := func(n int64) func(context.Context) {
		return func(ctx context.Context) { expect.OK(t, session.NewKey[int64]("hits").Set(ctx, n)) }
	}
	add := func(n int64) func(context.Context) {
		return func(ctx context.Context) { _, err := fixture.Hits.Add(ctx, n); expect.OK(t, err) }
	}
	del := func(ctx context.Context) { expect.OK(t, session.NewKey[int64]("hits").Delete(ctx)) }
	clear := func(ctx context.Context) { expect.OK(t, session.FromContext(ctx).Clear()) }
	double := func(ctx context.Context) {
		_, err := session.NewKey[int64]("hits").Update(ctx, func(n int64) (int64, error) { return 2 * n, nil })
		expect.OK(t, err)
	}
	tests := []struct {
		name string
		do   []func(context.Context)
		want int64
	}{
		{"set add", []func(context.Context){set(10), add(5)}, 15},
		{"add set", []func(context.Context){add(5), set(10)}, 10},
		{"add add", []func(context.Context){add(5), add(6)}, 111},
		{"delete add", []func(context.Context){del, add(5)}, 5},
		{"add delete", []func(context.Context){add(5), del}, 0},
		{"clear add", []func(context.Context){clear, add(5)}, 5},
		{"add clear", []func(context.Context){add(5), clear}, 0},
		{"set delete", []func(context.Context){set(5), del}, 0},
		{"delete set", []func(context.Context){del, set(5)}, 5},
		{"clear set add", []func(context.Context){clear, set(5), add(1)}, 6},
		{"add double", []func(context.Context){add(5), double}, 210},
		{"double add", []func(context.Context){double, add(5)}, 205},
		{"clear double add", []func(context.Context){clear, double, add(5)}, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, commit := range []bool{false, true} {
				v := fixture.FirstVisitor(t, nil)
				v.Visit(set(100))
				v.Visit(func(ctx context.Context) {
					for _, do := range tt.do {
						do(ctx)
						if commit {
							expect.OK(t, session.FromContext(ctx).Commit(ctx))
						}
					}
					if n, _ := fixture.Hits.Get(ctx); n != tt.want {
						t.Errorf("commit between %v: in the request: got %d, want %d", commit, n, tt.want)
					}
				})
				v.Visit(func(ctx context.Context) {
					if n, _ := fixture.Hits.Get(ctx); n != tt.want {
						t.Errorf("commit between %v: after it: got %d, want %d", commit, n, tt.want)
					}
				})
			}
		})
	}
}

func TestTakeIsOnce(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	flash := session.NewKey[string]("flash")
	v.Visit(func(ctx context.Context) { expect.OK(t, flash.Set(ctx, "saved")) })
	for _, want := range []string{"saved", ""} {
		v.Visit(func(ctx context.Context) {
			got, ok, err := flash.Take(ctx)
			if got != want || ok != (want != "") || err != nil {
				t.Errorf("Take: got %q, %v, %v, want %q", got, ok, err, want)
			}
		})
	}
}

func TestValueOfAnotherTypeFailsAlone(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	number := session.NewKey[int]("user")
	v.Visit(func(ctx context.Context) {
		expect.OK(t, fixture.User.Set(ctx, "ann"))
		expect.OK(t, cart.Set(ctx, nil))
	})
	v.Visit(func(ctx context.Context) {
		_, err := number.Get(ctx)
		var broken *session.ValueError
		if !errors.As(err, &broken) || broken.Name != "user" {
			t.Errorf("Get: got %v, want a ValueError for user", err)
		}
		if _, err := session.NewCounter("user").Add(ctx, 1); !errors.As(err, &broken) {
			t.Errorf("Add: got %v, want a ValueError", err)
		}
		if _, err := cart.Get(ctx); err != nil {
			t.Errorf("another value: got %v", err)
		}
		expect.OK(t, number.Set(ctx, 7))
		fixture.Holds(t, ctx, number, 7)
	})
	v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, number, 7) })
}

// The store finds out at the commit that another request has set the counter to a text.
func TestCounterOverwrittenMeanwhile(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { fixture.Hits.Add(ctx, 1) })
	res := v.Visit(func(ctx context.Context) {
		fixture.Hits.Add(ctx, 1)
		v.Clone().Visit(func(ctx context.Context) { expect.OK(t, session.NewKey[string]("hits").Set(ctx, "many")) })
	})
	if res.StatusCode != http.StatusInternalServerError {
		t.Errorf("status: got %d, want 500", res.StatusCode)
	}
}

func TestDeleteOfWhatIsNotSeen(t *testing.T) {
	v := fixture.FirstVisitor(t, nil)
	v.Visit(func(ctx context.Context) { fixture.Hits.Add(ctx, 1) })
	v.Visit(func(ctx context.Context) {
		fixture.Holds(t, ctx, fixture.User, "")
		v.Clone().Visit(func(ctx context.Context) { expect.OK(t, fixture.User.Set(ctx, "ann")) })
		expect.OK(t, fixture.User.Delete(ctx))
	})
	v.Visit(func(ctx context.Context) { fixture.Holds(t, ctx, fixture.User, "") })
}
