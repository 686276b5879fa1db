package store

import (
	"encoding/binary"
	"iter"
	"slices"
	"strings"
)

// Values are the named values of a record, each one JSON document. They are immutable, and packed into one string, so
// that any number of them takes one allocation. The zero Values holds none.
type Values struct {
	// packed holds for each value, in the order of CompareNames: the name's length as a uvarint, the name, the
	// document's length as a uvarint, the document.
	packed string
}

// A Value is one JSON document under its name.
type Value struct {
	Name string
	JSON string
}

// CompareNames is the order of the names of values: a shorter name comes first, and names of the same length are
// compared byte by byte. So the cheapest comparison is made first. PostgreSQL keeps the keys of a jsonb in this order,
// too.
func CompareNames(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// MakeValues packs values. It sorts the slice in place. Of two values under one name it keeps one; which one is not
// defined.
func MakeValues(values []Value) Values {
	size, sorted := 0, true
	for i, v := range values {
		size += packedSize(v.Name, v.JSON)
		sorted = sorted && (i == 0 || CompareNames(values[i-1].Name, v.Name) < 0)
	}
	if !sorted {
		slices.SortFunc(values, func(a, b Value) int { return CompareNames(a.Name, b.Name) })
		values = slices.CompactFunc(values, func(a, b Value) bool { return a.Name == b.Name })
	}
	var buf packerBuf
	p := newPacker(buf[:0], size)
	for _, v := range values {
		p = p.add(v.Name, v.JSON)
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

// All yields every name with its JSON document, in the order of CompareNames.
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

// Footprint returns how many bytes of memory the values take. Unlike Size it takes the same time for any number of
// values.
func (v Values) Footprint() int { return len(v.packed) }

// A packer builds Values. The names have to be added in order.
type packer []byte

// A packerBuf is large enough for the values of most sessions, so that only the result is allocated.
type packerBuf [512]byte

func newPacker(buf []byte, size int) packer {
	if size > cap(buf) {
		return make(packer, 0, size)
	}
	return buf
}

func (p packer) add(name, doc string) packer {
	p = append(binary.AppendUvarint(p, uint64(len(name))), name...)
	return append(binary.AppendUvarint(p, uint64(len(doc))), doc...)
}

func (p packer) values() Values { return Values{packed: string(p)} }

// packedSize returns how many bytes a packed value takes at most.
func packedSize(name, doc string) int {
	const lengths = 2 + 4 // as uvarints: names have 255 bytes at most, documents less than 256 MiB
	return lengths + len(name) + len(doc)
}

// unpack splits packed values into the first value and the rest.
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
