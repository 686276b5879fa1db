package signed

import (
	"bytes"
	"encoding/base64"
	"reflect"
	"testing"
	"time"
)

// The MACs and their buffers are reused by requests of other clients.
func TestPenKeepsNothingOfAToken(t *testing.T) {
	for _, name := range []string{"s", "session", "__Host-session", "__Host-session" + agelessPurpose} {
		raw := Raw([]byte("the secret that opens a session!"))
		state := newPen([]byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")).idle.New().(*penState)
		state.sign(name, raw, time.Now())
		kept := bytesIn(reflect.ValueOf(state))
		text := base64.URLEncoding.EncodeToString(raw[:])
		for at := range len(text) - 4 {
			if part := text[at : at+4]; bytes.Contains(kept, []byte(part)) {
				t.Fatalf("name %q: %q of the token is still there", name, part)
			}
		}
	}
}

// bytesIn returns the contents of all byte slices and arrays that v leads to.
func bytesIn(v reflect.Value) []byte {
	var found []byte
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			found = bytesIn(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			found = append(found, bytesIn(v.Field(i))...)
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice {
			v = v.Slice(0, v.Cap())
		}
		for i := range v.Len() {
			if v.Index(i).Kind() == reflect.Uint8 {
				found = append(found, byte(v.Index(i).Uint()))
			}
		}
	}
	return append(found, 0)
}
