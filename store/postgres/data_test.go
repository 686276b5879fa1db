package postgres_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/postgres"
)

// printJSONB returns the text that PostgreSQL prints for an object that was cast to jsonb. It supports only the values
// that the store may send: scalars, and arrays of one string.
func printJSONB(t *testing.T, object string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &members); err != nil {
		t.Fatalf("sent %q: %v", object, err)
	}
	// jsonb sorts keys by their length, then by their bytes.
	names := slices.SortedFunc(maps.Keys(members), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(printString(name) + ": " + printMember(t, string(members[name])))
	}
	return "{" + b.String() + "}"
}

func printMember(t *testing.T, doc string) string {
	t.Helper()
	if doc[0] != '"' && doc[0] != '[' {
		number := doc != "true" && doc != "false" && doc != "null"
		if doc == "-0" || number && strings.ContainsAny(doc, "eE{") {
			t.Fatalf("sent %s as a number, which jsonb rewrites", doc)
		}
		return doc
	}
	var text string
	var wrapped []string
	if err := json.Unmarshal([]byte(doc), &text); err == nil {
		return printString(text)
	}
	if err := json.Unmarshal([]byte(doc), &wrapped); err != nil || len(wrapped) != 1 {
		t.Fatalf("sent %s: want an array of one string", doc)
	}
	return "[" + printString(wrapped[0]) + "]"
}

// printString works like PostgreSQL's escape_json.
func printString(s string) string {
	escapes := strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\b", `\b`, "\f", `\f`, "\n", `\n`, "\r", `\r`, "\t", `\t`)
	var b strings.Builder
	for _, r := range escapes.Replace(s) {
		if r < ' ' {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return `"` + b.String() + `"`
}

// nasty are documents that jsonb changes, and some that look similar.
var nasty = []string{
	`"\u0000"`, `"\ud800"`, `"\ud83d\ude00"`, `"\u00e9"`, `"é"`, `"\/"`, `"<>&"`, "\"\u2028\u2029\x7f\ufeff\ufffd\"",
	`"]"`, `"}, \"b\": 1"`,
	`"\\"`, `"a\"b"`, `""`, `"null"`, `"[\"x\"]"`, `["x"]`, `["[\"x\"]"]`, `["x", "y"]`, `[]`, `{}`,
	`{"a":1,"a":2}`, ` 1`, `1 `, `"x" `, "\t\"x\"\n",
	`0`, `-0`, `-0.0`, `-0.5`, `0.10`, `1.0`, `1e0`, `1E400`, `-1e-400`, `0e5`, `0.1e1`,
	`12345678901234567890.123456789012345678900`, strings.Repeat("9", 100), strings.Repeat("9", 101),
	"-" + strings.Repeat("9", 200000), "0." + strings.Repeat("0", 20000) + "1", `9223372036854775808`,
	`true`, `false`, `null`, `[true]`, `[null]`, "[1,\n2]", strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
}

func TestDataReadsWhatPostgreSQLPrints(t *testing.T) {
	s, pool := newStore(t)
	var edits []store.Edit
	var want []store.Value
	for i, doc := range nasty {
		for _, name := range []string{fmt.Sprintf("%02d", i), fmt.Sprintf("%02d \"\\\n\x01é\u2028", i)} {
			edits = append(edits, set(name, doc))
			want = append(want, store.Value{Name: name, JSON: doc})
		}
	}
	r := create(t, s, creation(edits...))
	for _, got := range []*store.Record{r, load(t, s, r.Token)} {
		if got.Values != store.MakeValues(want) {
			for _, v := range want {
				if doc, _ := got.Values.Get(v.Name); doc != v.JSON {
					t.Errorf("%q: got %.80q, want %.80q", v.Name, doc, v.JSON)
				}
			}
		}
	}
	// The fuzz test relies on printJSONB, so it has to agree with the server.
	var object []byte
	for _, e := range edits {
		object = postgres.AppendMember(object, e.Name, e.JSON)
	}
	object = append(object, '}')
	got, want2 := value[string](t, pool, "SELECT $1::jsonb::text", string(object)), printJSONB(t, string(object))
	if got != want2 {
		t.Errorf("PostgreSQL prints %.300q…, printJSONB %.300q…", got, want2)
	}
}

// Plain values have their own type in the data column, so that SQL queries can use them.
func TestPlainValuesInSQL(t *testing.T) {
	s, pool := newStore(t)
	for doc, want := range map[string]string{
		"42": "number", "-1.5": "number", `"tea"`: "string", `"日本"`: "string", "true": "boolean", "null": "null",
		`"a\nb"`: "array", `{"a":1}`: "array",
	} {
		r := create(t, s, creation(set("v", doc)))
		got := value[string](t, pool, "SELECT jsonb_typeof(data->'v') FROM %s WHERE id = $1", r.ID.String())
		if got != want {
			t.Errorf("%s has the type %s in SQL, want %s", doc, got, want)
		}
	}
}

func FuzzData(f *testing.F) {
	for i, doc := range nasty {
		if len(doc) < 1000 {
			f.Add("name", doc, nasty[len(nasty)-1-i])
			f.Add(doc, doc, `""`)
		}
	}
	f.Fuzz(func(t *testing.T, name, one, two string) {
		for _, text := range []string{name, one, two} {
			if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
				t.Skip("refused by sessions")
			}
		}
		if name == "" || !json.Valid([]byte(one)) || !json.Valid([]byte(two)) {
			t.Skip("refused by sessions")
		}
		second := name + "2"
		sent := append(postgres.AppendMember(postgres.AppendMember(nil, name, one), second, two), '}')
		got, err := postgres.ReadData(printJSONB(t, string(sent)))
		want := store.MakeValues([]store.Value{{Name: name, JSON: one}, {Name: second, JSON: two}})
		if err != nil || got != want {
			t.Errorf("sent %q: got %v, %v, want %v", sent, got, err, want)
		}
	})
}

// readData returns values or an error for any content of the column.
func FuzzReadData(f *testing.F) {
	for _, data := range damagedData {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data string) {
		values, err := postgres.ReadData(data)
		if err != nil {
			return
		}
		for name, doc := range values.All() {
			if doc == "" {
				t.Errorf("%q: value %q without a document", data, name)
			}
		}
	})
}
