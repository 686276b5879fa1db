package memlog_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lazysession/session/live/memlog"
	"github.com/lazysession/session/live/stream"
	"github.com/lazysession/session/store"
)

// archive returns the path of an archive with a socket in a channel, and the socket.
func archive(tb testing.TB) (string, *stream.Socket) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "live.archive")
	l := memlog.New(&memlog.Options{Archive: path})
	s := newSocket(tb, l)
	change := &store.Change{Edits: []store.Edit{{Name: "n\xff", Op: store.Set, JSON: "1"}}}
	commit(tb, l, s,
		stream.Op{Kind: stream.Join, Channel: "room\xff", Seat: "left"},
		stream.Op{Kind: stream.Edit, Channel: "room\xff", Change: change},
		send(s, []byte("a"), stream.Retention{}), send(s, []byte("b"), stream.Retention{}))
	if err := l.Close(tb.Context(), true); err != nil {
		tb.Fatal(err)
	}
	return path, s
}

func TestOpenWithoutArchive(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "none"))
	newSocket(t, l)
	if _, err := memlog.Open(nil); err != nil {
		t.Errorf("Open without options: %v", err)
	}
}

// Texts need not be UTF-8.
func TestArchiveKeepsAnyText(t *testing.T) {
	path, _ := archive(t)
	c, err := open(t, path).Channel(t.Context(), "room\xff")
	if err != nil || c == nil {
		t.Fatalf("Channel: got %v, error %v", c, err)
	}
	if doc, _ := c.State.Get("n\xff"); doc != "1" {
		t.Errorf("state: got %q, want 1", doc)
	}
}

// Close with backup needs a path; the log is closed all the same.
func TestCloseWithoutArchive(t *testing.T) {
	l := memlog.New(nil)
	if err := l.Close(t.Context(), true); err == nil || !strings.Contains(err.Error(), "Options.Archive") {
		t.Errorf("Close: got error %v, want one that names Options.Archive", err)
	}
	if err := l.Flush(t.Context()); !errors.Is(err, stream.ErrClosed) {
		t.Errorf("Flush after Close: got error %v, want %v", err, stream.ErrClosed)
	}
}

// An archive that can't be written is an error that names it, and leaves nothing behind.
func TestCloseThatCantWrite(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "archive")
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	l := memlog.New(&memlog.Options{Archive: path})
	if err := l.Close(t.Context(), true); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Close: got error %v, want one that names %s", err, path)
	}
	if files, _ := os.ReadDir(folder); len(files) != 1 {
		t.Errorf("the folder has %d files, want what was there before", len(files))
	}
}

// A second Open of one archive can't know what was committed after the first one. So positions are no longer valid.
func TestSecondOpenResets(t *testing.T) {
	path, s := archive(t)
	first := open(t, path)
	if ms := kept(t, first, s); len(ms) != 2 {
		t.Fatalf("first Open: got %d messages, want 2", len(ms))
	}
	second := open(t, path)
	_, err := second.Read(t.Context(), stream.Own(s.ID), s.Out, 10)
	if gap, ok := err.(*stream.GapError); !ok || gap.Why != stream.Reset || gap.At.Number != 2 {
		t.Errorf("second Open: got error %v, want a reset at number 2", err)
	}
	if err := second.Close(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	all := 0
	for range open(t, path).Sockets(t.Context(), stream.Filter{}) {
		all++
	}
	if all != 1 {
		t.Errorf("after a further Close and Open: got %d sockets, want 1", all)
	}
}

// Sockets of an archive have as long as Return to come back.
func TestReturn(t *testing.T) {
	path, s := archive(t)
	synctest.Test(t, func(t *testing.T) {
		l, err := memlog.Open(&memlog.Options{Archive: path, Return: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		late := func() int {
			all, err := l.Overdue(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		if time.Sleep(59 * time.Second); late() != 0 {
			t.Error("the socket is overdue before its time")
		}
		if time.Sleep(time.Second); late() != 1 {
			t.Error("the socket is not overdue after its time")
		}
		_, err = l.Take(t.Context(), &stream.Claim{ID: s.ID, Overdue: true})
		if err != nil {
			t.Errorf("Take of the overdue socket: %v", err)
		}
	})
}

// Damage of any kind is an error that names the file.
func TestDamagedArchive(t *testing.T) {
	path, _ := archive(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	for name, text := range map[string][]byte{
		"empty":            {},
		"foreign":          []byte("PK\x03\x04"),
		"other JSON":       []byte(`{"format":"other","version":1}` + "\n"),
		"future":           bytes.Replace(whole, []byte(`"version":1`), []byte(`"version":2`), 1),
		"cut in the sum":   whole[:len(whole)-5],
		"cut in an entry":  whole[:len(whole)/2],
		"without its sum":  bytes.Join(lines[:len(lines)-2], nil),
		"without an entry": bytes.Join(append(lines[:1:1], lines[2:]...), nil),
		"one bit":          flipped(whole, len(whole)/2),
	} {
		damaged := filepath.Join(t.TempDir(), "archive")
		if err := os.WriteFile(damaged, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := memlog.Open(&memlog.Options{Archive: damaged}); err == nil || !strings.Contains(err.Error(), damaged) {
			t.Errorf("%s: got error %v, want one that names the file", name, err)
		}
	}
}

func flipped(text []byte, at int) []byte {
	text = bytes.Clone(text)
	text[at] ^= 1
	return text
}

// No entries make Open panic, even with a right checksum.
func TestContradictingArchive(t *testing.T) {
	const id = `"id":"01010101010101010101010101010101"`
	const other = "02020202020202020202020202020202"
	const session = `"session":"01010101010101010101010101010101"`
	const own = `"own":{"epoch":"e","top":0}`
	socket := `{"socket":{` + id + `,` + session + `,"incarnation":1,` + own + `}}`
	member := `{"socket":"01010101010101010101010101010101",` + session + `}`
	for name, body := range map[string]string{
		"neither":          `{}`,
		"both":             `{"socket":{},"channel":{}}`,
		"unknown field":    `{"socket":{"colour":"red"}}`,
		"no ID":            `{"socket":{"incarnation":1,` + own + `}}`,
		"twice":            socket + "\n" + socket,
		"incarnation 0":    strings.Replace(socket, `"incarnation":1`, `"incarnation":0`, 1),
		"last incarnation": strings.Replace(socket, `"incarnation":1`, `"incarnation":18446744073709551615`, 1),
		"no epoch":         strings.Replace(socket, `"epoch":"e"`, `"epoch":""`, 1),
		"below its messages": strings.Replace(socket, `"top":0`,
			`"top":0,"messages":[{"time":"2026-01-01T00:00:00Z","data":""}]`, 1),
		"channel unknown": strings.Replace(socket, `"incarnation":1`, `"incarnation":1,"channels":["YQ=="]`, 1),
		"no members":      `{"channel":{"name":"YQ==","members":[],"stream":{"epoch":"e","top":0}}}`,
		"member unknown":  `{"channel":{"name":"YQ==","members":[` + member + `],"stream":{"epoch":"e","top":0}}}`,
		"member not in it": socket +
			"\n" + `{"channel":{"name":"YQ==","members":[` + member + `],"stream":{"epoch":"e","top":0}}}`,
		"member twice": strings.Replace(socket, `"incarnation":1`, `"incarnation":1,"channels":["YQ==","YQ=="]`, 1) +
			"\n" + `{"channel":{"name":"YQ==","members":[` + member + `,` + member + `],"stream":{"epoch":"e","top":0}}}`,
		"ID of another kind": strings.Replace(socket, id, `"id":"`+other[:10]+`"`, 1),
	} {
		if err := memlog.Decode(sealed(body)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := memlog.Decode(sealed(socket)); err != nil {
		t.Errorf("a right archive: %v", err)
	}
}

// sealed returns an archive with a right heading and checksum.
func sealed(body string) []byte {
	text := `{"format":"memlog","version":1}` + "\n" + body + "\n"
	sum := sha256.Sum256([]byte(text))
	return []byte(text + `{"sha256":"` + hex.EncodeToString(sum[:]) + "\"}\n")
}

func FuzzArchive(f *testing.F) {
	path, _ := archive(f)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"channel":{"name":"YQ==","members":[],"stream":{"epoch":"e","top":0}}}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		_ = memlog.Decode(text)
		_ = memlog.DecodeBody(text)
	})
}
