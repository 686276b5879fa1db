package storetest

import (
	"fmt"
	"strings"

	"github.com/lazysession/session/store"
)

var valueRules = []rule{
	{"documents", "A JSON document comes back byte for byte, even where another text has the same meaning.", documents},
	{"names", "A name comes back byte for byte, and similar names are different names.", names},
	{"many-values", "A session may have a thousand values, and each can be changed.", manyValues},
	{"big-value", "A value may be 64 KiB long.", bigValue},
}

func documents(p *probe) {
	docs := []string{
		`"\u0000"`, `"a\u0000b"`, `"\ud800"`, `"\udc00\ud800"`, `"\ud83d\ude00"`, `"😀"`, `"\u00e9"`, `"é"`,
		`"<>&\u2028/\/"`,
		`""`, `"'; -- $1 %s {0} :x"`, `"\\\"\n"`,
		`9223372036854775807`, `-9223372036854775808`, `9223372036854775808`, `-9223372036854775809`,
		`123456789012345678901234567890`, `9007199254740993`, `1e400`, `1`, `1.0`, `1.00`, `1e0`, `1E+2`, `0.1`, `-0`, `0`,
		`{"a":1,"a":2}`, `{"b":1,"a":2}`, `{ "a" : [ 1 ,  2 ] }`, "{\n\t\"a\": 1\n}", `{"":{}}`, `{}`, `[]`, `[null]`,
		`null`, `true`, `false`, strings.Repeat("[", 200) + strings.Repeat("]", 200),
	}
	r := p.create(creation())
	for i, doc := range docs {
		p.commit(r.Token, change(set(fmt.Sprint(i), doc)))
	}
	r = p.load(r.Token)
	for i, doc := range docs {
		if got, _ := r.Values.Get(fmt.Sprint(i)); got != doc {
			p.Errorf("document: got %s, want %s", brief(got), brief(doc))
		}
	}
}

func names(p *probe) {
	names := []string{
		"a", "A", "aa", "a/42", "a.b", "a b", " a", "a ", " ", "0", "00", "-1", `"`, `'`, "`", `\`, `\n`, "\n", "\t",
		"\x01", "\x7f",
		"%", "%s", "_", "*", "?", "$", "$1", "{", "}", "{a}", "[0]", ":", ";", ",", "a,b", "|", "#", "é", "e\u0301",
		"日本", "😀",
		"\u2028", "id", "token", "owner", "version", "v", "created", "values", "null", "__proto__",
		strings.Repeat("x", 255), strings.Repeat("é", 127),
	}
	values := make([]store.Value, len(names))
	edits := make([]store.Edit, len(names))
	for i, name := range names {
		values[i] = store.Value{Name: name, JSON: fmt.Sprint(i)}
		edits[i] = set(name, fmt.Sprint(i))
	}
	r := p.create(creation())
	p.commit(r.Token, change(edits...))
	want := after(r, func(r *store.Record) { r.Values = store.MakeValues(values) })
	p.wantUnchanged(want)
}

func manyValues(p *probe) {
	const n = 1000
	var sets, adds []store.Edit
	for i := range n {
		name := fmt.Sprintf("value %03d", i)
		sets, adds = append(sets, set(name, fmt.Sprint(i))), append(adds, add(name, n))
	}
	r := p.create(creation(sets...))
	p.commit(r.Token, change(adds...))
	r = p.load(r.Token)
	i := 0
	for name, doc := range r.Values.All() {
		if wantName, want := fmt.Sprintf("value %03d", i), fmt.Sprint(i+n); name != wantName || doc != want {
			p.Fatalf("value %d: got %q = %s, want %q = %s", i, name, doc, wantName, want)
		}
		i++
	}
	if i != n {
		p.Errorf("got %d values, want %d", i, n)
	}
}

func bigValue(p *probe) {
	const size = 64 << 10
	doc := `"` + strings.Repeat("x", size-2) + `"`
	r := p.create(creation(set("a", "1")))
	p.commit(r.Token, change(set("big", doc)))
	p.wantUnchanged(after(r, func(r *store.Record) {
		r.Values = store.MakeValues([]store.Value{{Name: "a", JSON: "1"}, {Name: "big", JSON: doc}})
	}))
}
