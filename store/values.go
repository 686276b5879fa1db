package store

import (
	"encoding/binary"
	"iter"
	"slices"
	"strings"
)

// Values are the named values of a record, each one JSON document. They are immutable, and packed into one string:
// one allocation for all, whatever their number. The zero Values holds none.
type Values struct {
	// packed holds, in the order of the names: the name's length as a uvarint, the name, the document's length as a
	// uvarint, the document.
	packed string
}

// A Value is one JSON document under its name.
type Value struct {
	Name string
	JSON string
}

// MakeValues packs values, which it sorts in place. Of two under one name, which stays is not defined.
func MakeValues(values []Value) Values {
	byName := func(a, b Value) int { return strings.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(values, byName) {
		slices.SortFunc(values, byName)
	}
	var p packer
	for i, v := range values {
		if i == 0 || v.Name != values[i-1].Name {
			p.add(v.Name, v.JSON)
		}
	}
	return p.values()
}

// Get returns the JSON document under name. It allocates nothing.
func (v Values) Get(name string) (json string, ok bool) {
	for rest := v.packed; rest != ""; {
		var n, doc string
		n, doc, rest = unpack(rest)
		if n == name {
			return doc, true
		}
	}
	return "", false
}

// All yields every name with its JSON document, in the order of the names.
func (v Values) All() iter.Seq2[string, string] {
	return func(yield func(name, json string) bool) {
		for rest := v.packed; rest != ""; {
			var name, doc string
			name, doc, rest = unpack(rest)
			if !yield(name, doc) {
				return
			}
		}
	}
}

// Len returns how many values there are.
func (v Values) Len() int {
	n := 0
	for range v.All() {
		n++
	}
	return n
}

// Size returns the bytes of all names and documents together.
func (v Values) Size() int {
	size := 0
	for name, doc := range v.All() {
		size += len(name) + len(doc)
	}
	return size
}

// A packer builds Values from names that come in order.
type packer struct{ buf []byte }

func (p *packer) add(name, doc string) {
	p.buf = binary.AppendUvarint(p.buf, uint64(len(name)))
	p.buf = append(p.buf, name...)
	p.buf = binary.AppendUvarint(p.buf, uint64(len(doc)))
	p.buf = append(p.buf, doc...)
}

func (p *packer) values() Values { return Values{packed: string(p.buf)} }

// unpack takes the first value off packed values.
func unpack(packed string) (name, doc, rest string) {
	name, rest = unpackString(packed)
	doc, rest = unpackString(rest)
	return name, doc, rest
}

func unpackString(s string) (head, rest string) {
	n, size := uvarint(s)
	end := size + int(n)
	return s[size:end], s[end:]
}

// uvarint is binary.Uvarint for a string.
func uvarint(s string) (x uint64, size int) {
	for shift := 0; ; shift += 7 {
		b := s[size]
		size++
		x |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return x, size
		}
	}
}
