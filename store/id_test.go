package store_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/lazysession/session/store"
)

func TestHashToken(t *testing.T) {
	if got, want := store.HashToken([]byte("raw")), store.Token(sha256.Sum256([]byte("raw"))); got != want {
		t.Error("HashToken is not SHA-256")
	}
}

func TestTokenIsNeverShown(t *testing.T) {
	token := store.HashToken([]byte("raw"))
	nested := struct{ T store.Token }{token}
	secret := hex.EncodeToString(token[:2])
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U"} {
		for _, v := range []any{token, &token, nested, []store.Token{token}, &store.Record{Token: token}} {
			text := strings.ToLower(fmt.Sprintf(verb, v))
			if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprint(token[0], token[1])) {
				t.Errorf("%s of a %T shows the token: %s", verb, v, text)
			}
		}
	}
	doc, err := json.Marshal(nested)
	if want := `{"T":"store.Token(…)"}`; string(doc) != want || err != nil {
		t.Errorf("JSON: got %s, %v, want %s", doc, err, want)
	}
}

func TestIDText(t *testing.T) {
	id := store.ID{0x01, 0xab, 15: 0xff}
	const text = "01ab00000000000000000000000000ff"
	if got := id.String(); got != text {
		t.Errorf("String: got %s, want %s", got, text)
	}
	if got, err := store.ParseID(text); got != id || err != nil {
		t.Errorf("ParseID: got %v, %v, want %v", got, err, id)
	}
	doc, err := json.Marshal(map[store.ID]store.ID{id: id})
	if want := `{"` + text + `":"` + text + `"}`; string(doc) != want || err != nil {
		t.Errorf("JSON: got %s, %v, want %s", doc, err, want)
	}
	var back map[store.ID]store.ID
	if err := json.Unmarshal(doc, &back); err != nil || back[id] != id {
		t.Errorf("from JSON: got %v, %v", back, err)
	}
}

func TestParseIDRefuses(t *testing.T) {
	for _, s := range []string{
		"", "01", strings.Repeat("0", 31), strings.Repeat("0", 33), strings.Repeat("g", 32), strings.Repeat("é", 16),
	} {
		if id, err := store.ParseID(s); err == nil || !id.IsZero() {
			t.Errorf("ParseID(%q) = %v, %v, want an error and no ID", s, id, err)
		}
	}
}

func TestUnmarshalTextKeepsIDOnError(t *testing.T) {
	id := store.ID{1}
	if err := id.UnmarshalText([]byte("x")); err == nil || id != (store.ID{1}) {
		t.Errorf("got %v, %v, want the ID as it was and an error", id, err)
	}
}

func TestIDIsZero(t *testing.T) {
	if !(store.ID{}).IsZero() || (store.ID{15: 1}).IsZero() {
		t.Error("only the ID of zeros is zero")
	}
}
