// Package jsonvalue encodes Go values as the JSON documents that sessions keep, and decodes them. It handles the most
// common types without reflection. It returns an error where decoding would give another value.
package jsonvalue

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Encode returns v as a JSON document. It refuses values that JSON can't hold, or that encoding/json would change.
func Encode[T any](v T) (string, error) {
	var buf [64]byte
	b, ok, err := appendCommon(buf[:0], v)
	if err != nil {
		return "", err
	}
	if !ok {
		b, err = marshal(v)
	}
	return string(b), err
}

// marshal is json.Marshal, but refuses a document that is not UTF-8. A MarshalJSON method may return one, and
// json.Marshal passes it on.
func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err == nil && !utf8.Valid(b) {
		return nil, errNotJSON
	}
	return b, err
}

// appendCommon appends the JSON of a value of a common type. For other types ok is false.
func appendCommon(b []byte, v any) (doc []byte, ok bool, err error) {
	switch v := v.(type) {
	case int:
		return strconv.AppendInt(b, int64(v), 10), true, nil
	case int8:
		return strconv.AppendInt(b, int64(v), 10), true, nil
	case int16:
		return strconv.AppendInt(b, int64(v), 10), true, nil
	case int32:
		return strconv.AppendInt(b, int64(v), 10), true, nil
	case int64:
		return strconv.AppendInt(b, v, 10), true, nil
	case uint:
		return strconv.AppendUint(b, uint64(v), 10), true, nil
	case uint8:
		return strconv.AppendUint(b, uint64(v), 10), true, nil
	case uint16:
		return strconv.AppendUint(b, uint64(v), 10), true, nil
	case uint32:
		return strconv.AppendUint(b, uint64(v), 10), true, nil
	case uint64:
		return strconv.AppendUint(b, v, 10), true, nil
	case float32:
		return appendFloat(b, float64(v), 32)
	case float64:
		return appendFloat(b, v, 64)
	case bool:
		return strconv.AppendBool(b, v), true, nil
	case string:
		return appendString(b, v)
	case []byte:
		return appendBytes(b, v), true, nil
	case time.Time:
		return appendTime(b, v)
	case json.RawMessage:
		return appendRaw(b, v)
	}
	return b, false, nil
}

var errNotANumber = errors.New("JSON has no NaN and no infinity")

func appendFloat(b []byte, f float64, bits int) ([]byte, bool, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, false, errNotANumber
	}
	return strconv.AppendFloat(b, f, 'g', -1, bits), true, nil
}

var errNotUTF8 = errors.New("string is not UTF-8, and JSON would change it: use []byte")

// appendString refuses bytes that encoding/json would replace by U+FFFD, since a value must come back as it was.
func appendString(b []byte, s string) ([]byte, bool, error) {
	if !utf8.ValidString(s) {
		return nil, false, errNotUTF8
	}
	if strings.ContainsFunc(s, needsEscape) {
		doc, err := json.Marshal(s)
		return doc, true, err
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), true, nil
}

// needsEscape reports whether r must be escaped in a JSON string (RFC 8259, section 7).
func needsEscape(r rune) bool { return r < ' ' || r == '"' || r == '\\' }

func appendBytes(b, v []byte) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, v)
	return append(b, '"')
}

// appendTime writes what time.Time.MarshalJSON does, but uses UTC for zones with seconds, such as those before 1900.
// RFC 3339 has no seconds in zones, and another time would come back.
func appendTime(b []byte, t time.Time) ([]byte, bool, error) {
	if _, offset := t.Zone(); offset%60 != 0 {
		t = t.UTC()
	}
	b = append(b, '"')
	b, err := t.AppendText(b)
	return append(b, '"'), true, err
}

var errNotJSON = errors.New("not a JSON document in UTF-8")

func appendRaw(b []byte, v json.RawMessage) ([]byte, bool, error) {
	if v == nil {
		return append(b, "null"...), true, nil
	}
	if !json.Valid(v) || !utf8.Valid(v) {
		return nil, false, errNotJSON
	}
	return append(b, v...), true, nil
}

// Decode reads a JSON document into a T.
func Decode[T any](doc string) (T, error) {
	var v T
	// The conversion to any doesn't escape, so that v stays off the heap.
	if ok := decodeCommon(doc, any(&v)); ok {
		return v, nil
	}
	return decodeAny[T](doc)
}

func decodeAny[T any](doc string) (T, error) {
	var v T
	if err := json.Unmarshal([]byte(doc), &v); err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// decodeCommon reads a document of a common type in its plain form. For any other ok is false, and encoding/json reads
// it or returns the error.
func decodeCommon(doc string, p any) (ok bool) {
	switch p := p.(type) {
	case *int:
		return decodeInt(doc, p, strconv.IntSize)
	case *int8:
		return decodeInt(doc, p, 8)
	case *int16:
		return decodeInt(doc, p, 16)
	case *int32:
		return decodeInt(doc, p, 32)
	case *int64:
		return decodeInt(doc, p, 64)
	case *uint:
		return decodeUint(doc, p, strconv.IntSize)
	case *uint8:
		return decodeUint(doc, p, 8)
	case *uint16:
		return decodeUint(doc, p, 16)
	case *uint32:
		return decodeUint(doc, p, 32)
	case *uint64:
		return decodeUint(doc, p, 64)
	case *float64:
		return decodeFloat(doc, p)
	case *bool:
		*p = doc == "true"
		return *p || doc == "false"
	case *string:
		*p, ok = plainString(doc)
		return ok
	case *[]byte:
		return decodeBytes(doc, p)
	case *time.Time:
		text, ok := plainString(doc)
		return ok && p.UnmarshalText([]byte(text)) == nil
	case *json.RawMessage:
		*p = json.RawMessage(doc)
		return true
	}
	return false
}

func decodeInt[T int | int8 | int16 | int32 | int64](doc string, p *T, bits int) bool {
	n, err := strconv.ParseInt(doc, 10, bits)
	*p = T(n)
	return err == nil && plainInt(doc)
}

func decodeUint[T uint | uint8 | uint16 | uint32 | uint64](doc string, p *T, bits int) bool {
	n, err := strconv.ParseUint(doc, 10, bits)
	*p = T(n)
	return err == nil && plainInt(doc)
}

// plainInt reports whether a text that strconv takes for an integer is one in JSON, too. "+1" and "01" are not.
func plainInt(doc string) bool {
	digits := strings.TrimPrefix(doc, "-")
	return digits == "0" || digits[0] >= '1'
}

func decodeFloat(doc string, p *float64) bool {
	f, err := strconv.ParseFloat(doc, 64)
	*p = f
	return err == nil && json.Valid([]byte(doc)) // ParseFloat also takes "+1", "1.", "inf" and "0x1p-2"
}

// plainString returns the string in a document that holds one without escapes.
func plainString(doc string) (s string, ok bool) {
	if len(doc) < 2 || doc[0] != '"' || doc[len(doc)-1] != '"' {
		return "", false
	}
	s = doc[1 : len(doc)-1]
	return s, !strings.ContainsFunc(s, needsEscape) && utf8.ValidString(s)
}

func decodeBytes(doc string, p *[]byte) bool {
	text, ok := plainString(doc)
	if !ok {
		return false
	}
	b, err := base64.StdEncoding.DecodeString(text)
	*p = b
	return err == nil
}
