package session_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
)

func TestParseKeys(t *testing.T) {
	one, two := bytes.Repeat([]byte{0xfb, 0xff}, 16), bytes.Repeat([]byte{7}, 40)
	std, url, digits := base64.StdEncoding.EncodeToString, base64.URLEncoding.EncodeToString, hex.EncodeToString
	for _, tt := range []struct {
		name, text string
		want       [][]byte
	}{
		{"base64", std(one), [][]byte{one}},
		{"base64 for URLs", url(one), [][]byte{one}},
		{"base64 without padding", base64.RawStdEncoding.EncodeToString(one), [][]byte{one}},
		{"base64 for URLs without padding", base64.RawURLEncoding.EncodeToString(one), [][]byte{one}},
		{"hexadecimal", digits(one), [][]byte{one}},
		{"hexadecimal in capitals", strings.ToUpper(digits(one)), [][]byte{one}},
		{"a file", std(two) + "\n" + digits(one) + "\n", [][]byte{two, one}},
		{"a file from Windows", std(two) + "\r\n" + std(one) + "\r\n", [][]byte{two, one}},
		{"blank lines and spaces", "\n  " + std(two) + " \n \n\t" + std(one), [][]byte{two, one}},
		{"commas", std(two) + ", " + std(one) + ",", [][]byte{two, one}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := session.ParseKeys(tt.text)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("ParseKeys: got %x, %v, want %x", got, err, tt.want)
			}
		})
	}
}

func TestParseKeysTellsMistakes(t *testing.T) {
	good := strings.Repeat("ab", 32)
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "no key"},
		{"blank lines", "\n , \n", "no key"},
		{"short", "c2VjcmV0IQ==", "key 1 has 7 bytes: want at least 32"},
		{"short in hexadecimal", good + "\n" + good[:62], "key 2 has 31 bytes: want at least 32"},
		{"a digit short", good[:63], "key 1 is neither"},
		{"no encoding", "my secret passphrase, which is long enough to be a key", "key 1 is neither"},
		{"all at once", "c2VjcmV0IQ==\n!!!", "key 2 is neither"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			keys, err := session.ParseKeys(tt.text)
			if err == nil || keys != nil {
				t.Fatalf("ParseKeys: got %d keys and error %v, want an error alone", len(keys), err)
			}
			wantKeyError(t, err, tt.want)
			for field := range strings.FieldsSeq(tt.text) {
				if len(field) > 3 && strings.Contains(err.Error(), field) {
					t.Errorf("the error shows a key: %v", err)
				}
			}
		})
	}
}

func wantKeyError(t *testing.T, err error, want string) {
	t.Helper()
	expect.Text(t, err, want, "openssl rand -base64 32")
}

func TestNewSaysHowToMakeAKey(t *testing.T) {
	_, err := session.New(fixture.NewStore(), nil) // which is not volatile
	wantKeyError(t, err, "no Keys")
	_, err = session.New(fixture.NewStore(), &session.Config{Keys: [][]byte{[]byte("short and secret")}})
	wantKeyError(t, err, "Keys[0] has 16 bytes: want at least 32")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows a key: %v", err)
	}
	_, err = session.New(fixture.NewStore(), &session.Config{Keys: [][]byte{make([]byte, 32)}, MaxBytes: -1})
	if strings.Contains(err.Error(), "openssl") {
		t.Errorf("the error of another mistake speaks of keys: %v", err)
	}
}
