package store

import (
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The form has no white space of its own. Labels stand in the order of their bytes, values in that of CompareNames. A
// value stands as it is, with all white space between the colon and the next comma or brace. encoding/json would drop
// that white space and escape HTML.
const (
	codecFormat = 1
	codecTime   = "2006-01-02T15:04:05.000000Z"
)

var (
	_ encoding.BinaryAppender    = (*Record)(nil)
	_ encoding.BinaryMarshaler   = (*Record)(nil)
	_ encoding.BinaryUnmarshaler = (*Record)(nil)
)

// AppendBinary appends the whole record as one JSON document, for stores that keep records as bytes. Operators and
// programs in other languages can read it. It has these members in this order, without the line ends shown here:
//
//	{"format":1,"id":"2a…","token":"9f…","version":3,"persistent":false,
//	 "created":"2026-02-03T04:05:06.789012Z","lastSeen":"2026-02-03T04:07:00.000000Z",
//	 "idleTimeout":"30m0s","lifetime":"24h0m0s",
//	 "owner":"alice","labels":{"device":"laptop"},"values":{"cart":[1,2]}}
//
// Each value keeps every byte, and the same record always gives the same bytes.
//
// AppendBinary returns an error for a record that could not be read back: the owner, a label or a name is not UTF-8, a
// name is empty, contains NUL or is longer than 255 bytes, a value is not JSON, or a time is not within the years 0 to
// 9999.
//
// The bytes contain the hash of the session's token. As with a record itself, a reader of them can't take over the
// session, but they don't belong in logs.
func (r *Record) AppendBinary(b []byte) ([]byte, error) {
	if err := r.checkCodec(); err != nil {
		return b, fmt.Errorf("store: record %v: %w", r.ID, err)
	}
	w := recordWriter(append(b, `{"format":`...))
	w = strconv.AppendInt(w, codecFormat, 10)
	w = w.member("id").hex(r.ID[:])
	w = w.member("token").hex(r.Token[:])
	w = strconv.AppendUint(w.member("version"), uint64(r.Version), 10)
	w = strconv.AppendBool(w.member("persistent"), r.Persistent)
	w = w.member("created").text(r.Created.codecText())
	w = w.member("lastSeen").text(r.LastSeen.codecText())
	w = w.member("idleTimeout").text(r.IdleTimeout.String())
	w = w.member("lifetime").text(r.Lifetime.String())
	w = w.member("owner").text(r.Owner)
	w = w.member("labels").labels(r.Labels)
	w = w.member("values").values(r.Values)
	return append(w, '}'), nil
}

// MarshalBinary returns what AppendBinary appends.
func (r *Record) MarshalBinary() ([]byte, error) { return r.AppendBinary(nil) }

// UnmarshalBinary reads what AppendBinary wrote, and keeps nothing of data. It returns an error for anything else, also
// for the same document in another layout, and for a format that it does not know. After an error the record is as it
// was.
func (r *Record) UnmarshalBinary(data []byte) error {
	p := recordReader{all: string(data), rest: string(data)}
	read := p.record()
	if p.err != nil {
		return fmt.Errorf("store: record: %w", p.err)
	}
	// The check of the whole: numbers, strings and times in another spelling, and values that are not JSON.
	again, err := read.AppendBinary(make([]byte, 0, len(data)))
	if err != nil {
		return err
	}
	if string(again) != p.all {
		return fmt.Errorf("store: record %v: not in the form that AppendBinary writes", read.ID)
	}
	*r = read
	return nil
}

// checkCodec returns why the record could not be read back.
func (r *Record) checkCodec() error {
	for _, at := range []Instant{r.Created, r.LastSeen} {
		if year := at.Time().UTC().Year(); year < 0 || year > 9999 {
			return fmt.Errorf("a time in the year %d: want 0 to 9999", year)
		}
	}
	if !utf8.ValidString(r.Owner) {
		return fmt.Errorf("owner %q is not UTF-8", r.Owner)
	}
	for name, text := range r.Labels {
		if !utf8.ValidString(name) || !utf8.ValidString(text) {
			return fmt.Errorf("label %q is not UTF-8, or its text is not", name)
		}
	}
	for name, doc := range r.Values.All() {
		if err := checkValue(name, doc); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(name, doc string) error {
	const longest = 255
	if name == "" || len(name) > longest || !utf8.ValidString(name) || strings.IndexByte(name, 0) >= 0 {
		return fmt.Errorf("invalid name %.300q: want UTF-8 of 1 to %d bytes without NUL", name, longest)
	}
	if !json.Valid([]byte(doc)) || !utf8.ValidString(doc) {
		return fmt.Errorf("value %q is not a JSON document in UTF-8", name)
	}
	return nil
}

// codecText returns the instant as RFC 3339 in UTC, with all six digits of the microseconds.
func (i Instant) codecText() string { return i.Time().UTC().Format(codecTime) }

// A recordWriter is the bytes of a record so far. Its strings have to be UTF-8.
type recordWriter []byte

func (w recordWriter) member(name string) recordWriter {
	return append(append(append(w, `,"`...), name...), `":`...)
}

func (w recordWriter) hex(b []byte) recordWriter {
	return append(hex.AppendEncode(append(w, '"'), b), '"')
}

// text escapes what JSON demands (RFC 8259, section 7) and no more. What encoding/json escapes may change with Go, but
// the form of records must not.
func (w recordWriter) text(s string) recordWriter {
	w = append(w, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ':
			w = fmt.Appendf(w, `\u%04x`, c)
		case c == '"', c == '\\':
			w = append(w, '\\', c)
		default:
			w = append(w, c)
		}
	}
	return append(w, '"')
}

func (w recordWriter) labels(labels map[string]string) recordWriter {
	w = append(w, '{')
	for i, name := range slices.Sorted(maps.Keys(labels)) {
		w = append(w.comma(i).text(name), ':').text(labels[name])
	}
	return append(w, '}')
}

func (w recordWriter) values(values Values) recordWriter {
	w = append(w, '{')
	i := 0
	for name, doc := range values.All() {
		w = append(append(w.comma(i).text(name), ':'), doc...)
		i++
	}
	return append(w, '}')
}

// comma separates a member from those before it.
func (w recordWriter) comma(before int) recordWriter {
	if before == 0 {
		return w
	}
	return append(w, ',')
}
