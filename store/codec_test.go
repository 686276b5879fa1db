package store_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session/store"
)

// full returns a record with every field set.
func full() *store.Record {
	return &store.Record{
		Token: store.HashToken([]byte("raw")), ID: store.ID{15: 7}, Version: 3, Persistent: true,
		Created: 1_770_091_506_789_012, LastSeen: 1_770_091_620_000_000,
		IdleTimeout: 30 * time.Minute, Lifetime: 24 * time.Hour,
		Owner:  "alice",
		Labels: map[string]string{"device": "laptop", "place": "<home> \u2028 \x00"},
		Values: store.MakeValues([]store.Value{{"cart", "[1,2]"}, {"n", "42"}, {"text", `"<&>"`}}),
	}
}

func encode(t testing.TB, r *store.Record) []byte {
	t.Helper()
	b, err := r.MarshalBinary()
	if err != nil {
		t.Fatalf("MarshalBinary: %v", err)
	}
	return b
}

func decode(t testing.TB, b []byte) *store.Record {
	t.Helper()
	r := new(store.Record)
	if err := r.UnmarshalBinary(b); err != nil {
		t.Fatalf("UnmarshalBinary: %v", err)
	}
	return r
}

func wantRoundTrip(t *testing.T, r *store.Record) {
	t.Helper()
	if got := decode(t, encode(t, r)); !reflect.DeepEqual(got, r) {
		t.Errorf("after the codec: got %+v, want %+v", got, r)
	}
}

// TestCodecForm fails when the form of records changes: then the records that stores have kept can't be read any more.
func TestCodecForm(t *testing.T) {
	const want = `{"format":1,"id":"00000000000000000000000000000007",` +
		`"token":"d7439bee24773bcbfa2d0a97947ee36227b10d1022b1a55847e928965bb6bfde","version":3,"persistent":true,` +
		`"created":"2026-02-03T04:05:06.789012Z","lastSeen":"2026-02-03T04:07:00.000000Z",` +
		`"idleTimeout":"30m0s","lifetime":"24h0m0s","owner":"alice",` +
		`"labels":{"device":"laptop","place":"<home> ` + "\u2028" + ` \u0000"},` +
		`"values":{"n":42,"cart":[1,2],"text":"<&>"}}`
	if got := string(encode(t, full())); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestCodecKeepsEveryField fails when a record gets a field that the codec doesn't know.
func TestCodecKeepsEveryField(t *testing.T) {
	wantRoundTrip(t, full())
	wantRoundTrip(t, &store.Record{})
	all := reflect.ValueOf(full()).Elem()
	for i := range all.NumField() {
		name := all.Type().Field(i).Name
		if all.Field(i).IsZero() {
			t.Errorf("the test does not set %s", name)
		}
		one := new(store.Record)
		reflect.ValueOf(one).Elem().Field(i).Set(all.Field(i))
		t.Run(name, func(t *testing.T) { wantRoundTrip(t, one) })
	}
}

func TestCodecIsOneJSONDocument(t *testing.T) {
	var doc struct {
		Owner  string
		Labels map[string]string
		Values map[string]any
	}
	if err := json.Unmarshal(encode(t, full()), &doc); err != nil {
		t.Fatalf("encoding/json: %v", err)
	}
	if doc.Owner != "alice" || !maps.Equal(doc.Labels, full().Labels) || doc.Values["text"] != "<&>" {
		t.Errorf("encoding/json reads %+v", doc)
	}
}

func TestCodecKeepsEveryByteOfAValue(t *testing.T) {
	docs := []string{
		`"\u0000"`, `"a\u0000b"`, `"\ud800"`, `"\udc00\ud800"`, `"\ud83d\ude00"`, `"😀"`, `"\u00e9"`, `"é"`,
		`"<>&\u2028/\/"`, "\"\u2028\ufeff\ufffd\"", `""`, `"\\"`, `"\\\"\n"`, `"}"`, `"],"`, `"\"}"`, `"{"`,
		`9223372036854775807`, `-9223372036854775808`, `9223372036854775808`, `-9223372036854775809`,
		`123456789012345678901234567890`, `1e400`, `1.0`, `1.00`, `1E+2`, `-0`, `0`,
		`{"a":1,"a":2}`, `{"b":1,"a":2}`, `{ "a" : [ 1 ,  2 ] }`, "{\n\t\"a\": 1\n}", `{"":{}}`, `{}`, `[]`, `[null]`,
		`null`, `true`, ` 1`, "1 ", "\t\"x\"\n", " { } ", " \r\n [ ] \r\n ",
		strings.Repeat("[", 200) + strings.Repeat("]", 200), `"` + strings.Repeat("x", 64<<10) + `"`,
	}
	var values []store.Value
	for i, doc := range docs {
		values = append(values, store.Value{Name: fmt.Sprint(i), JSON: doc})
	}
	r := full()
	r.Values = store.MakeValues(values)
	got := decode(t, encode(t, r)).Values
	for i, want := range docs {
		if doc, ok := got.Get(fmt.Sprint(i)); doc != want || !ok {
			t.Errorf("value: got %.80q, want %.80q", doc, want)
		}
	}
}

func TestCodecKeepsEveryText(t *testing.T) {
	for _, text := range []string{
		" ", `"`, `\`, `\u0041`, "\n", "\x01", "\x7f", "{", "}", ":", ",", "<",
		"é", "e\u0301", "日本", "😀", "\u2028", "\ufffd", "\ufeff",
		"format", "values",
		strings.Repeat("é", 127), strings.Repeat("x", 255),
	} {
		r := full()
		r.Owner, r.Labels = text+"\x00", map[string]string{text: "", "": text + "\x00"}
		r.Values = store.MakeValues([]store.Value{{text, "1"}, {"z", "2"}})
		wantRoundTrip(t, r)
	}
}

// TestCodecQuotesForEncodingJSON tests every character of one, two and three bytes up to U+3000.
func TestCodecQuotesForEncodingJSON(t *testing.T) {
	for r := range rune(0x3000) {
		owner := "a" + string(r)
		var doc struct{ Owner string }
		b := encode(t, &store.Record{Owner: owner})
		if err := json.Unmarshal(b, &doc); err != nil || doc.Owner != owner {
			t.Errorf("%U: encoding/json reads %q, %v in %s", r, doc.Owner, err, b)
		}
		if got := decode(t, b).Owner; got != owner {
			t.Errorf("%U: got %q, want %q", r, got, owner)
		}
	}
}

func TestCodecKeepsEveryNumber(t *testing.T) {
	const first, last = -62_167_219_200_000_000, 253_402_300_799_999_999 // of the years 0 and 9999, in microseconds
	for _, at := range []store.Instant{first, -1, 0, 1, 999_999, 1_000_000, last} {
		wantRoundTrip(t, &store.Record{Created: at, LastSeen: at / 2})
	}
	for _, d := range []time.Duration{
		math.MinInt64, math.MaxInt64, -1, 1, 999, 1001, 999_999, 1_000_001, time.Microsecond, 100 * 365 * 24 * time.Hour,
	} {
		wantRoundTrip(t, &store.Record{IdleTimeout: d, Lifetime: d / 3, Version: math.MaxUint32})
	}
}

func TestCodecRefusesWhatCouldNotBeReadBack(t *testing.T) {
	value := func(name, doc string) func(*store.Record) {
		return func(r *store.Record) { r.Values = store.MakeValues([]store.Value{{name, doc}}) }
	}
	for _, tt := range []struct {
		name   string
		damage func(*store.Record)
		want   string
	}{
		{"owner", func(r *store.Record) { r.Owner = "a\xff" }, `owner "a\xff" is not UTF-8`},
		{"label", func(r *store.Record) { r.Labels = map[string]string{"a\xff": "b"} }, `label "a\xff"`},
		{"text of a label", func(r *store.Record) { r.Labels = map[string]string{"a": "\xed\xa0\x80"} }, `label "a"`},
		{"empty name", value("", "1"), `invalid name ""`},
		{"long name", value(strings.Repeat("n", 256), "1"), `invalid name "nnn`},
		{"name with NUL", value("a\x00", "1"), `invalid name "a\x00"`},
		{"name that is not UTF-8", value("\xff", "1"), `invalid name "\xff"`},
		{"empty value", value("a", ""), `value "a"`},
		{"two documents", value("a", "1,2"), `value "a"`},
		{"a value that would end the record", value("a", "1}"), `value "a"`},
		{"a value that would add another", value("a", `1,"b":2`), `value "a"`},
		{"value that is not UTF-8", value("a", "\"\xff\""), `value "a"`},
		{"before the year 0", func(r *store.Record) { r.Created = math.MinInt64 }, "a time in the year -2"},
		{"after the year 9999", func(r *store.Record) { r.LastSeen = math.MaxInt64 }, "a time in the year 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := full()
			tt.damage(r)
			b, err := r.AppendBinary([]byte("before"))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), r.ID.String()) {
				t.Errorf("error: got %v, want one of %v with %q", err, r.ID, tt.want)
			}
			if string(b) != "before" {
				t.Errorf("AppendBinary with an error: got %q, want what was there before", b)
			}
		})
	}
}

// TestCodecIsNotForLogs tests that nothing prints a record by its codec, which would show the hash of its token.
func TestCodecIsNotForLogs(t *testing.T) {
	r := full()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("record", slog.Any("r", r))
	slog.New(slog.NewTextHandler(&log, nil)).Info("record", slog.Any("r", r))
	fmt.Fprintf(&log, "%v %+v %#v", r, r, r)
	doc, err := json.Marshal(r)
	if err != nil {
		t.Fatalf("json.Marshal: %v", err)
	}
	log.Write(doc)
	if hash := hex.EncodeToString(r.Token[:]); strings.Contains(log.String(), hash[:8]) {
		t.Errorf("the hash of the token is shown: %s", log.String())
	}
}

func TestCodecAppends(t *testing.T) {
	b, err := full().AppendBinary([]byte("before"))
	if want := append([]byte("before"), encode(t, full())...); err != nil || !bytes.Equal(b, want) {
		t.Errorf("AppendBinary: got %q, %v, want %q", b, err, want)
	}
}

func TestCodecKeepsNothingOfItsInput(t *testing.T) {
	b := encode(t, full())
	r := decode(t, b)
	clear(b)
	if !reflect.DeepEqual(r, full()) {
		t.Errorf("after the bytes were overwritten: got %+v, want %+v", r, full())
	}
}

// wantRefused tests that the bytes are refused, with a text in the error, and that the record stays as it was.
func wantRefused(t *testing.T, b []byte, want string) {
	t.Helper()
	r := full()
	err := r.UnmarshalBinary(b)
	if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "store: record") {
		t.Errorf("%.400q: got error %v, want one with %q", b, err, want)
	}
	if !reflect.DeepEqual(r, full()) {
		t.Errorf("after %v: the record is %+v, want it unchanged", err, r)
	}
}

func TestCodecRefusesDamage(t *testing.T) {
	const notAsWritten = "not in the form that AppendBinary writes"
	for _, tt := range []struct {
		name, old, new string // what is replaced in the bytes of a full record
		want           string
	}{
		{"another format", `"format":1`, `"format":2`, "format 2: want 1"},
		{"a format that is a string", `"format":1`, `"format":"1"`, `format "1": want 1`},
		{"no format", `"format":1,`, ``, `at byte 0 of`},
		{"white space around it", `{"format"`, ` {"format"`, "at byte 0"},
		{"white space between members", `,"owner"`, `, "owner"`, `want ,"owner":`},
		{"a line end after it", `"<&>"}}`, "\"<&>\"}}\n", "want the end"},
		{"a second record after it", `"<&>"}}`, `"<&>"}}{}`, "want the end"},
		{"a missing member", `"persistent":true,`, ``, `want ,"persistent":`},
		{"an unknown member", `,"owner"`, `,"tenant":"x","owner"`, `want ,"owner":`},
		{"an unknown member at the end", `"<&>"}}`, `"<&>"},"more":1}`, "want }"},
		{"a member twice", `,"owner":"alice"`, `,"owner":"alice","owner":"bob"`, `want ,"labels":`},
		{"a short ID", `"id":"00`, `"id":"`, "want 32 hexadecimal digits"},
		{"an ID with another letter", `0007"`, `000g"`, "hexadecimal digits"},
		{"an ID in capitals", `0007"`, `000A"`, notAsWritten},
		{"a long token", `"token":"`, `"token":"00`, "want 64 hexadecimal digits"},
		{"a version below 0", `"version":3`, `"version":-3`, `"-3"`},
		{"a version beyond 32 bits", `"version":3`, `"version":4294967296`, `"4294967296"`},
		{"a version with a zero", `"version":3`, `"version":03`, notAsWritten},
		{"a version that is a string", `"version":3`, `"version":"3"`, `"\"3\""`},
		{"a Go boolean", `:true`, `:T`, notAsWritten},
		{"no boolean", `:true`, `:yes`, `"yes"`},
		{"a month 13", `2026-02-03T04:05`, `2026-13-03T04:05`, "2026-13-03"},
		{"a time in another zone", `06.789012Z`, `06.789012+01:00`, "+01:00"},
		{"a time with a comma", `06.789012Z`, `06,789012Z`, notAsWritten},
		{"a time with too many digits", `06.789012Z`, `06.7890123Z`, "at byte"},
		{"a duration without a unit", `"30m0s"`, `"30"`, `"30"`},
		{"a duration in another spelling", `"30m0s"`, `"0.5h"`, notAsWritten},
		{"an owner that is a number", `"alice"`, `42`, "want a string"},
		{"an owner in another spelling", `"alice"`, `"\u0061lice"`, notAsWritten},
		{"an owner with a lone surrogate", `"alice"`, `"\ud800"`, notAsWritten},
		{"an owner that is not UTF-8", `"alice"`, "\"\xff\"", "is not UTF-8"},
		{"an owner with a line end", `"alice"`, "\"a\nb\"", notAsWritten},
		{"a label twice", `"place"`, `"device"`, `"device" stands twice or out of order`},
		{"labels out of order", `"device"`, `"queue"`, `"place" stands twice or out of order`},
		{"a label that is null", `"laptop"`, `null`, "want a string"},
		{"labels that are null", `{"device":"laptop","place"`, `null,"place"`, "want {"},
		{"a value twice", `"n":42`, `"n":42,"n":42`, `"n" stands twice or out of order`},
		{"values out of order", `"n":42`, `"nnnnnnnn":42`, `"cart" stands twice or out of order`},
		{"an empty name", `"n":`, `"":`, `invalid name ""`},
		{"a long name", `"text":`, `"` + strings.Repeat("n", 256) + `":`, "invalid name"},
		{"a name with NUL", `"n":`, `"\u0000":`, "invalid name"},
		{"a name with a lone surrogate", `"text":`, `"\ud800xxx":`, notAsWritten},
		{"a value that is not JSON", `42`, `forty-two`, `value "n" is not a JSON document`},
		{"a value that is not UTF-8", `"<&>"`, "\"\xff\"", `value "text" is not a JSON document`},
		{"an empty value", `42`, ``, `value "n" is not a JSON document`},
		{"a value with the wrong bracket", `[1,2]`, `[1,2}`, `value "cart" is not a JSON document`},
		{"a value that ends too early", `[1,2]`, `[1,2]]`, "want ,"},
		{"a comma too many", `{"n"`, `{,"n"`, "want a string"},
		{"a comma at the end", `"<&>"}`, `"<&>",}`, "want a string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			whole := string(encode(t, full()))
			if strings.Count(whole, tt.old) != 1 {
				t.Fatalf("%q stands %d times in the record", tt.old, strings.Count(whole, tt.old))
			}
			wantRefused(t, []byte(strings.Replace(whole, tt.old, tt.new, 1)), tt.want)
		})
	}
}

func TestCodecRefusesOtherBytes(t *testing.T) {
	for _, other := range []string{
		"", " ", "{", "{}", "null", "[]", `"x"`, "\x00", "\x03\x01", `{"format":`, `{"format":1`,
	} {
		wantRefused(t, []byte(other), "at byte")
	}
}

func TestCodecRefusesTruncation(t *testing.T) {
	whole := encode(t, full())
	for n := range whole {
		wantRefused(t, whole[:n], "at byte")
	}
}

// FuzzRecord feeds any bytes to the codec. What it accepts, it writes again byte for byte, and it is one JSON document.
func FuzzRecord(f *testing.F) {
	f.Add(encode(f, full()))
	f.Add(encode(f, &store.Record{}))
	f.Add([]byte(`{"format":2}`))
	f.Add(bytes.Replace(encode(f, full()), []byte("42"), []byte(" [ \"]\" ] "), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := full()
		if err := r.UnmarshalBinary(b); err != nil {
			if !reflect.DeepEqual(r, full()) {
				t.Errorf("after %v: the record is %+v, want it unchanged", err, r)
			}
			return
		}
		if again := encode(t, r); !bytes.Equal(again, b) || !json.Valid(b) {
			t.Errorf("read %q, wrote %q", b, again)
		}
	})
}

// FuzzRecordFields makes records of any fields. What the codec writes, it reads back.
func FuzzRecordFields(f *testing.F) {
	f.Add(int64(1), int64(2), int64(3), int64(4), "alice", "device", "laptop", "n", " 42 ", "m", `"<"`)
	f.Add(int64(math.MaxInt64), int64(-1), int64(math.MinInt64), int64(0), "\xff", "", "\x00", "a", "1", "a", "2")
	f.Fuzz(func(t *testing.T, created, seen, idle, life int64, owner, label, text, name1, doc1, name2, doc2 string) {
		r := &store.Record{
			Created: store.Instant(created), LastSeen: store.Instant(seen), IdleTimeout: time.Duration(idle),
			Lifetime: time.Duration(life), Owner: owner, Labels: map[string]string{label: text, text: label},
			Values: store.MakeValues([]store.Value{{name1, doc1}, {name2, doc2}}),
		}
		if b, err := r.MarshalBinary(); err == nil {
			if got := decode(t, b); !reflect.DeepEqual(got, r) {
				t.Errorf("after the codec: got %+v, want %+v", got, r)
			}
		}
	})
}
