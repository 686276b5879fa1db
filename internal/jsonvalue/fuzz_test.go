package jsonvalue

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"
	"unicode/utf8"
)

func check[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func FuzzJSONString(f *testing.F) {
	for _, s := range []string{
		"", "a", `"`, `\`, "\x00", "\x1f", "\x7f", "\u2028", "<&>", "é", "😀",
		"\xff", "\xed\xa0\x80", "a\xc3", `"a"`, `"\u0041"`,
		`"\ud800"`, `"a`, `a"`, `"a"b"`, `"\"`, "\"\xff\"", ` "a"`, `null`, `"AQI="`, `"AQI"`, `"2026-01-02T03:04:05Z"`,
		`"2026-01-02T03:04:05.123456789+23:59"`, `"2026-01-02t03:04:05z"`, `"2026-01-02T3:04:05Z"`,
		`"2026-01-02T03:04:05,5Z"`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		doc, err := Encode(s)
		check(t, "accepted", err == nil, utf8.ValidString(s))
		if err == nil {
			check(t, "valid JSON: "+doc, json.Valid([]byte(doc)) && utf8.ValidString(doc), true)
			var back string
			must(t, json.Unmarshal([]byte(doc), &back))
			check(t, "string that encoding/json reads", back, s)
			if decodeCommon(doc, &back) {
				check(t, "string that is read without it", back, s)
			}
		}

		agrees[string](t, s, func(a, b string) bool { return a == b })
		agrees[[]byte](t, s, bytes.Equal)
		agrees[time.Time](t, s, func(a, b time.Time) bool {
			return a.Equal(b) && a.Format(time.RFC3339Nano) == b.Format(time.RFC3339Nano)
		})

		encoded, err := Encode([]byte(s))
		must(t, err)
		var b []byte
		check(t, "bytes are read without encoding/json", decodeCommon(encoded, &b), true)
		check(t, "bytes", string(b), s)
	})
}

func FuzzJSONNumber(f *testing.F) {
	for _, doc := range []string{
		"0", "-0", "+0", "00", "01", "-01", "1", "-1", "+1", "1.", ".5", "-.5", "1.5", "1e5", "1E+5", "1e-5", "1e", "1e999",
		"1_000", "0x10", "0x1p-2", "inf", "-Inf", "NaN", "nan", "infinity", "127", "128", "-128", "-129", "255", "256",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615",
		"18446744073709551616",
		"true", "false", "True", " true", "null", "", "-", "1 ", " 1", "5e-324", "1.7976931348623157e308", "9007199254740993",
		"--1", "-+1",
	} {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		agreesExactly[int](t, doc)
		agreesExactly[int8](t, doc)
		agreesExactly[int16](t, doc)
		agreesExactly[int32](t, doc)
		agreesExactly[int64](t, doc)
		agreesExactly[uint](t, doc)
		agreesExactly[uint8](t, doc)
		agreesExactly[uint16](t, doc)
		agreesExactly[uint32](t, doc)
		agreesExactly[uint64](t, doc)
		agreesExactly[bool](t, doc)
		agrees[float64](t, doc, func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })

		comesBack[int64](t, doc)
		comesBack[uint64](t, doc)
		comesBack[float64](t, doc)
		comesBack[float32](t, doc)
	})
}

// agrees checks that encoding/json reads the same value from a document that was read without it.
func agrees[T any](t *testing.T, doc string, equal func(a, b T) bool) {
	t.Helper()
	var got, want T
	if !decodeCommon(doc, &got) {
		return
	}
	if err := json.Unmarshal([]byte(doc), &want); err != nil {
		t.Errorf("%q was read as %v: encoding/json says %v", doc, got, err)
		return
	}
	if !equal(got, want) {
		t.Errorf("%q was read as %v: encoding/json reads %v", doc, got, want)
	}
}

func agreesExactly[T comparable](t *testing.T, doc string) {
	t.Helper()
	agrees[T](t, doc, func(a, b T) bool { return a == b })
}

// comesBack checks that a number, if the document is one, is the same after it was encoded and decoded again.
func comesBack[T comparable](t *testing.T, doc string) {
	t.Helper()
	var v, back T
	if json.Unmarshal([]byte(doc), &v) != nil {
		return
	}
	encoded, err := Encode(v)
	must(t, err)
	must(t, json.Unmarshal([]byte(encoded), &back))
	check(t, "number that encoding/json reads from "+encoded, back, v)
	if decodeCommon(encoded, &back) {
		check(t, "number that is read without it from "+encoded, back, v)
	}
}
