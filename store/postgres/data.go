package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lazysession/session/store"
)

// All values of a session are in one jsonb document, an object from name to value. But jsonb doesn't return every
// document byte for byte: it reorders and drops keys, rewrites numbers and strings, and refuses NUL and lone
// surrogates. Plain numbers, strings without escapes, booleans and null come back unchanged. So they are stored as they
// are, and SQL can count and query them. Every other value is stored as an array of one string, which is the value's
// JSON text. A value that is itself an array is stored in this way too, so an array in the column always means such a
// text.

// appendData appends a value in the form of the data column.
func appendData(b []byte, doc string) []byte {
	if keptByJSONB(doc) {
		return append(b, doc...)
	}
	b = append(b, '[')
	b = appendQuoted(b, doc)
	return append(b, ']')
}

func appendQuoted(b []byte, s string) []byte {
	if !strings.ContainsFunc(s, needsEscape) {
		return append(append(append(b, '"'), s...), '"')
	}
	quoted, _ := json.Marshal(s) // a string can always be encoded
	return append(b, quoted...)
}

func needsEscape(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == utf8.RuneError }

// keptByJSONB reports whether jsonb returns a document as it was given.
func keptByJSONB(doc string) bool {
	switch {
	case doc == "true", doc == "false", doc == "null":
		return true
	case strings.HasPrefix(doc, `"`):
		return strings.HasSuffix(doc, `"`) && !strings.Contains(doc, `\`) // white space may follow a string
	default:
		return plainNumber(doc)
	}
}

// plainNumber reports whether doc is a number without exponent, of moderate length, and not minus zero.
func plainNumber(doc string) bool {
	const longest = 100 // jsonb takes thousands of digits, but there is no need to find out how many
	digits := strings.TrimPrefix(doc, "-")
	if digits == "" || len(digits) > longest || digits[0] == '0' && doc[0] == '-' {
		return false
	}
	for i := range len(digits) {
		if c := digits[i]; (c < '0' || c > '9') && c != '.' {
			return false
		}
	}
	return true
}

// errDamaged is the error of a row that this store can't have written. It was changed by hand, for example.
var errDamaged = errors.New("damaged row")

// readData reads the data column as PostgreSQL prints jsonb: the only white space is one space after each colon and
// comma.
func readData(data string) (store.Values, error) {
	var buf [16]store.Value
	values := buf[:0]
	rest, ok := strings.CutPrefix(data, "{")
	for ok && rest != "}" {
		var v store.Value
		v, rest, ok = readPair(rest)
		values = append(values, v)
		rest = strings.TrimPrefix(rest, ", ")
	}
	if !ok {
		return store.Values{}, fmt.Errorf("data column: %w: %.60q", errDamaged, data)
	}
	return store.MakeValues(values), nil
}

func readPair(s string) (v store.Value, rest string, ok bool) {
	v.Name, rest, ok = readString(s)
	if !ok {
		return v, rest, false
	}
	if rest, ok = strings.CutPrefix(rest, ": "); !ok {
		return v, rest, false
	}
	if wrapped, found := strings.CutPrefix(rest, "["); found {
		v.JSON, rest, ok = readString(wrapped)
		if !ok {
			return v, rest, false
		}
		rest, ok = strings.CutPrefix(rest, "]")
		return v, rest, ok && json.Valid([]byte(v.JSON))
	}
	v.JSON, rest = cutScalar(rest)
	return v, rest, v.JSON != "" && v.JSON[0] != '{'
}

// readString reads a JSON string at the beginning of s.
func readString(s string) (text, rest string, ok bool) {
	end := stringEnd(s)
	if end == 0 {
		return "", s, false
	}
	text, ok = s[1:end-1], true
	if strings.IndexByte(text, '\\') >= 0 {
		text, ok = unescape(s[:end])
	}
	return text, s[end:], ok
}

func unescape(quoted string) (text string, ok bool) {
	err := json.Unmarshal([]byte(quoted), &text)
	return text, err == nil
}

// stringEnd returns the length of the JSON string at the beginning of s, 0 if there is none.
func stringEnd(s string) int {
	if s == "" || s[0] != '"' {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// cutScalar takes a string, number, true, false or null off the beginning of s.
func cutScalar(s string) (doc, rest string) {
	end := stringEnd(s)
	if end == 0 {
		end = max(strings.IndexAny(s, ",}"), 0)
	}
	return s[:end], s[end:]
}
