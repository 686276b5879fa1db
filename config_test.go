package session_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/expect"
	"github.com/lazysession/session/internal/fixture"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// A durable store does not say that it ends with the process.
type durable struct{ store.Store }

func TestConfigsThatNewRefuses(t *testing.T) {
	keep := durable{fixture.NewStore()}
	short := []byte("0123456789abcdef0123456789abcde")
	keys := [][]byte{fixture.KeyA}
	for _, tt := range []struct {
		name  string
		store store.Store
		cfg   *session.Config
		says  []string // one for each mistake
	}{
		{"no store", nil, &session.Config{Keys: keys}, []string{"session: no store"}},
		{"no store, no config", nil, nil, []string{"session: no store"}},
		{"no keys on a store that keeps", keep, nil,
			[]string{"session: no Keys: a store that outlives the process (session_test.durable)"}},
		{"an empty list of keys", keep, &session.Config{Keys: [][]byte{}}, []string{"session: no Keys"}},
		{"a key of 31 bytes", keep, &session.Config{Keys: [][]byte{short}},
			[]string{"session: Keys[0] has 31 bytes: want at least 32"}},
		{"a second key of 31 bytes", keep, &session.Config{Keys: [][]byte{fixture.KeyA, short}},
			[]string{"session: Keys[1] has 31 bytes"}},
		{"an empty key", keep, &session.Config{Keys: [][]byte{{}}}, []string{"session: Keys[0] has 0 bytes"}},
		{"a nil key on a volatile store", mem.New(nil), &session.Config{Keys: [][]byte{nil}},
			[]string{"session: Keys[0] has 0 bytes"}},
		{"a negative IdleTimeout", keep, &session.Config{Keys: keys, IdleTimeout: -1},
			[]string{"session: IdleTimeout of -1ns"}},
		{"an IdleTimeout below the store's precision", keep, &session.Config{Keys: keys, IdleTimeout: 1},
			[]string{"session: IdleTimeout of 1ns"}},
		{"a negative Lifetime", keep, &session.Config{Keys: keys, Lifetime: -time.Hour},
			[]string{"session: Lifetime of -1h0m0s"}},
		{"a Lifetime that overflows", keep, &session.Config{Keys: keys, Lifetime: 1<<63 - 1},
			[]string{"session: Lifetime of 2562047h"}},
		{"a negative MaxPerOwner", keep, &session.Config{Keys: keys, MaxPerOwner: -1},
			[]string{"session: MaxPerOwner is -1"}},
		{"a negative MaxBytes", keep, &session.Config{Keys: keys, MaxBytes: -5}, []string{"session: MaxBytes is -5"}},
		{"a negative StoreTimeout", keep, &session.Config{Keys: keys, StoreTimeout: -time.Second},
			[]string{"session: StoreTimeout is -1s"}},
		{
			"everything at once", keep,
			&session.Config{
				Keys: [][]byte{fixture.KeyA, short}, IdleTimeout: -1, Lifetime: -1, MaxPerOwner: -1, MaxBytes: -1, StoreTimeout: -1,
				Cookie: session.Cookie{
					Name: "a b", Path: "app", Domain: "a b", Secure: session.InsecureForDevelopment, Partitioned: true,
					SameSite: 4,
				},
			},
			[]string{
				"session: Keys[1]", "session: IdleTimeout", "session: Lifetime", "session: MaxPerOwner", "session: MaxBytes",
				"session: StoreTimeout", "session: cookie name", "session: cookie path", "session: cookie domain",
				"session: cookie SameSite=None", "session: cookie Partitioned",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := session.New(tt.store, tt.cfg)
			if err == nil {
				m.Close()
				t.Fatal("got no error")
			}
			for _, part := range tt.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q: want it to say %q", err, part)
				}
			}
			expect.Equal(t, "mistakes in "+err.Error(), strings.Count(err.Error(), "session: "), len(tt.says))
			for _, key := range []string{string(fixture.KeyA), string(short)} {
				expect.Equal(t, "the error shows a key", strings.Contains(err.Error(), key), false)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  *session.Config
	}{{"nil", nil}, {"zero", &session.Config{}}} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := session.New(mem.New(nil), tt.cfg) // without a key, since mem is volatile
			if err != nil {
				t.Fatalf("New: %v", err)
			}
			defer m.Close()
			_, s := fixture.Issue(t, m, "alice")
			info, err := s.Info()
			expect.OK(t, err)
			expect.Equal(t, "idle timeout", info.Expires.Sub(info.LastSeen), 30*time.Minute)
			expect.Equal(t, "persistent", info.Persistent, false)
			expect.OK(t, s.SetIdleTimeout(100*24*time.Hour))
			info, err = s.Info()
			expect.OK(t, err)
			expect.Equal(t, "lifetime", info.Expires.Sub(info.Created), 24*time.Hour)

			text := session.NewKey[string]("text")
			ctx := session.NewContext(t.Context(), s)
			room := 64<<10 - len(`who"alice"`) - len(`text""`)
			expect.Is(t, "filling 64 KiB", text.Set(ctx, strings.Repeat("x", room)), nil)
			expect.Is(t, "one byte more", text.Set(ctx, strings.Repeat("x", room+1)), session.ErrTooLarge)
		})
	}
}

// Two Managers without keys don't accept each other's tokens: each has a random one.
func TestRandomKeysDiffer(t *testing.T) {
	s := mem.New(nil)
	a, err := session.New(s, nil)
	expect.OK(t, err)
	defer a.Close()
	b, err := session.New(s, nil)
	expect.OK(t, err)
	defer b.Close()
	token, _ := fixture.Issue(t, a, "alice")
	got, _ := fixture.Read(a, fixture.CookieName+"="+token)
	expect.Equal(t, "who, for the Manager that signed", got.Who, "alice")
	got, _ = fixture.Read(b, fixture.CookieName+"="+token)
	expect.Equal(t, "reading, for the other", got, fixture.Nothing)
}

func TestNewCopiesTheConfig(t *testing.T) {
	cfg := &session.Config{
		Keys:   [][]byte{slices.Clone(fixture.KeyA), slices.Clone(fixture.KeyB)},
		Logger: slog.New(slog.DiscardHandler),
	}
	m, err := session.New(fixture.NewStore(), cfg)
	expect.OK(t, err)
	defer m.Close()
	token, _ := fixture.Issue(t, m, "alice")

	clear(cfg.Keys[0])
	clear(cfg.Keys[1])
	clear(cfg.Keys)
	cfg.Cookie.Name, cfg.Carrier, cfg.MaxBytes, cfg.Logger = "other", session.BearerHeader(), 1, nil

	got, _ := fixture.Read(m, fixture.CookieName+"="+token)
	expect.Equal(t, "who, by the token from before", got.Who, "alice")
	_, w := fixture.Write(t, m, "", "bob")
	signed := fixture.SentToken(w, fixture.CookieName)
	expect.Equal(t, "the new token is signed with the key from before",
		len(fixture.RawOf(t, fixture.KeyA, fixture.CookieName, signed)), 32)
	raw := fixture.RawOf(t, fixture.KeyA, fixture.CookieName, token)
	zeros := fixture.Sign(t, make([]byte, 32), fixture.CookieName, raw)
	expect.Equal(t, "a key wiped to zeros opens nothing", opens(m, zeros), false)
}

func opens(m *session.Manager, token string) bool {
	_, err := m.Open(context.Background(), token)
	return err == nil
}

// New must not write to the Config or its Keys: they belong to the caller.
func TestNewLeavesTheConfigAlone(t *testing.T) {
	cfg := &session.Config{}
	m, err := session.New(mem.New(nil), cfg)
	expect.OK(t, err)
	defer m.Close()
	expect.Equal(t, "keys", len(cfg.Keys), 0)
	expect.Equal(t, "name", cfg.Cookie.Name, "")
	expect.Equal(t, "lifetime", cfg.Lifetime, 0)
	expect.Equal(t, "services", cfg.Services == nil, true)
}

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
	_, err := session.New(fixture.NewStore(), nil) // this store is not volatile
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

func TestParseKeysPrintsNothing(t *testing.T) {
	const alphabet = "ABCDEFGHabcdefgh0123456789+/-_=\x00\xff\ufeff \t'\"%#"
	const sentences = "session: key 1 is neither base64 nor hexadecimal: openssl rand -base64 32 makes one" +
		" bytes want at least has no in the text"
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		secret := make([]byte, 4+rnd.IntN(40))
		for i := range secret {
			secret[i] = alphabet[rnd.IntN(len(alphabet))]
		}
		_, err := session.ParseKeys(string(secret))
		if err == nil {
			continue
		}
		for at := 0; at+4 <= len(secret); at++ {
			part := string(secret[at : at+4])
			shown := strings.Contains(err.Error(), part) && !strings.Contains(sentences, part)
			if shown && strings.TrimSpace(part) == part {
				t.Fatalf("%q: %v shows %q", secret, err, part)
			}
		}
	}
	hex33 := hex.EncodeToString(make([]byte, 31)) + "0"
	if _, err := session.ParseKeys(hex33); err == nil {
		t.Error("a key in hexadecimal that lacks a digit: got no error")
	}
}
