package store

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A recordReader takes the parts of a record off the beginning of rest. After the first error it takes nothing more.
type recordReader struct {
	all, rest string
	err       error
}

func (p *recordReader) record() (r Record) {
	p.expect(`{"format":`)
	if format := p.scalar(); p.err == nil && format != strconv.Itoa(codecFormat) {
		p.err = fmt.Errorf("format %.20s: want %d", format, codecFormat)
	}
	p.member("id").hex(r.ID[:])
	p.member("token").hex(r.Token[:])
	r.Version = readAs(p.member("version").scalar(), p, func(s string) (uint32, error) {
		n, err := strconv.ParseUint(s, 10, 32)
		return uint32(n), err
	})
	r.Persistent = readAs(p.member("persistent").scalar(), p, strconv.ParseBool)
	r.Created = readAs(p.member("created").text(), p, parseInstant)
	r.LastSeen = readAs(p.member("lastSeen").text(), p, parseInstant)
	r.IdleTimeout = readAs(p.member("idleTimeout").text(), p, time.ParseDuration)
	r.Lifetime = readAs(p.member("lifetime").text(), p, time.ParseDuration)
	r.Owner = p.member("owner").ownText()
	r.Labels = p.member("labels").labels()
	r.Values = p.member("values").values()
	p.expect("}")
	if p.err == nil && p.rest != "" {
		p.fail("want the end")
	}
	return r
}

func parseInstant(s string) (Instant, error) {
	t, err := time.Parse(codecTime, s)
	return InstantOf(t), err
}

// readAs returns what parse makes of a text.
func readAs[T any](text string, p *recordReader, parse func(string) (T, error)) (v T) {
	if p.err != nil {
		return v
	}
	v, err := parse(text)
	if err != nil {
		p.fail(fmt.Sprintf("before it stands %.60q", text))
	}
	return v
}

func (p *recordReader) fail(what string) {
	if p.err == nil {
		p.err = fmt.Errorf("at byte %d of %d: %s", len(p.all)-len(p.rest), len(p.all), what)
	}
}

// take reports whether rest began with text, and takes it off.
func (p *recordReader) take(text string) (ok bool) {
	if p.err != nil {
		return false
	}
	p.rest, ok = strings.CutPrefix(p.rest, text)
	return ok
}

func (p *recordReader) expect(text string) {
	if !p.take(text) {
		p.fail("want " + text)
	}
}

func (p *recordReader) member(name string) *recordReader {
	p.expect(`,"` + name + `":`)
	return p
}

// scalar takes a number, true or false.
func (p *recordReader) scalar() string {
	end := strings.IndexAny(p.rest, ",}")
	if end <= 0 {
		p.fail("want a number, true or false")
	}
	return p.cut(end)
}

// cut takes the first n bytes.
func (p *recordReader) cut(n int) (head string) {
	if p.err != nil {
		return ""
	}
	head, p.rest = p.rest[:n], p.rest[n:]
	return head
}

func (p *recordReader) hex(b []byte) {
	digits := p.text()
	if p.err == nil && len(digits) != hex.EncodedLen(len(b)) {
		p.fail(fmt.Sprintf("before it want %d hexadecimal digits", hex.EncodedLen(len(b))))
		return
	}
	if _, err := hex.Decode(b, []byte(digits)); err != nil {
		p.fail("before it want hexadecimal digits")
	}
}

// text takes a JSON string. Without escapes it is a part of all.
func (p *recordReader) text() (s string) {
	quoted := p.cut(stringEnd(p.rest))
	if quoted != "" && strings.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	if p.err == nil && json.Unmarshal([]byte(quoted), &s) != nil {
		p.fail("want a string")
	}
	return s
}

// ownText takes a JSON string that stays in the record, where a part of all would keep all of it in memory.
func (p *recordReader) ownText() string { return strings.Clone(p.text()) }

// object takes a JSON object. Its names have to be in order, each one once. After each name it calls value, which takes
// the value.
func (p *recordReader) object(order func(a, b string) int, value func(name string)) {
	p.expect("{")
	before := ""
	for i := 0; p.err == nil && !p.take("}"); i++ {
		if i > 0 {
			p.expect(",")
		}
		name := p.text()
		if p.err == nil && i > 0 && order(before, name) >= 0 {
			p.fail(fmt.Sprintf("%.300q stands twice or out of order", name))
		}
		before = name
		p.expect(":")
		value(name)
	}
}

func (p *recordReader) labels() (labels map[string]string) {
	p.object(strings.Compare, func(name string) {
		if labels == nil {
			labels = map[string]string{}
		}
		labels[strings.Clone(name)] = p.ownText()
	})
	return labels
}

func (p *recordReader) values() Values {
	var buf [16]Value
	values := buf[:0]
	p.object(CompareNames, func(name string) {
		values = append(values, Value{Name: name, JSON: p.cut(documentEnd(p.rest))})
	})
	return MakeValues(values)
}

// stringEnd returns the length of the JSON string at the beginning of s; 0 if there is none.
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

// documentEnd returns the length of the JSON document at the beginning of s, with the white space around it: up to the
// comma or bracket that follows it.
func documentEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			i += max(0, stringEnd(s[i:])-1)
		case '[', '{':
			depth++
		case ',':
			if depth == 0 {
				return i
			}
		case ']', '}':
			if depth == 0 {
				return i
			}
			depth--
		}
	}
	return len(s)
}
