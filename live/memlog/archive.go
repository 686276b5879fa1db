package memlog

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// An archive is lines of JSON: a heading, one entry for each socket and each channel, and the checksum of all lines
// before it. Open adds a line behind the checksum, which says that the log has gone on from there.

// A heading says what the file is.
type heading struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
}

const (
	format  = "memlog"
	version = 1
	opened  = `{"opened":true}` + "\n"
)

// A footing ends the archive.
type footing struct {
	SHA256 string `json:"sha256"`
}

// save writes the archive into a temporary file, and then puts it in the place of the one before. The log is closed.
func (l *Log) save() error {
	folder, name := filepath.Split(l.opts.Archive)
	f, err := os.CreateTemp(filepath.Clean(folder+"."), name+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing after the rename
	err = errors.Join(l.write(f), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), l.opts.Archive); err != nil {
		return err
	}
	return syncFolder(folder)
}

// syncFolder makes a rename durable. Windows can't sync folders, and does without.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(filepath.Clean(path + "."))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// A summed writes lines of JSON, and sums them up.
type summed struct {
	out *bufio.Writer
	sum hash.Hash
	enc *json.Encoder
}

func newSummed(w io.Writer) *summed {
	s := &summed{out: bufio.NewWriter(w), sum: sha256.New()}
	s.enc = json.NewEncoder(io.MultiWriter(s.out, s.sum))
	return s
}

// end writes the footing.
func (s *summed) end() error {
	if err := s.enc.Encode(footing{hex.EncodeToString(s.sum.Sum(nil))}); err != nil {
		return err
	}
	return s.out.Flush()
}

// write writes the archive. The log is closed, so nothing of it changes any more.
func (l *Log) write(w io.Writer) error {
	s := newSummed(w)
	if err := s.enc.Encode(heading{format, version}); err != nil {
		return err
	}
	for i := range l.shards {
		for _, one := range l.shards[i].sockets {
			if err := s.enc.Encode(entry{Socket: archivedSocket(one)}); err != nil {
				return err
			}
		}
		for _, one := range l.shards[i].channels {
			if err := s.enc.Encode(entry{Channel: archivedChannel(one)}); err != nil {
				return err
			}
		}
	}
	return s.end()
}

// restore reads the archive into the log, which is new, and notes in the file that it was opened. Where there is no
// file, nothing happens.
func (l *Log) restore() error {
	text, err := os.ReadFile(l.opts.Archive)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	entries, before, err := decode(text)
	if err != nil {
		return err
	}
	if err := l.load(entries); err != nil {
		return err
	}
	if before {
		l.linesLocked(func(q *line) { q.epoch = newEpoch() })
	}
	l.shrink()
	return note(l.opts.Archive)
}

// note adds to an archive that it was opened.
func note(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(opened)
	return errors.Join(err, f.Sync(), f.Close())
}

var (
	errForeign = errors.New("not an archive of memlog")
	errCut     = errors.New("damaged: its end is missing")
	errDamaged = errors.New("damaged: its checksum is wrong")
)

// decode reads the entries of an archive. Before reports whether it was opened before.
func decode(text []byte) (entries []entry, before bool, err error) {
	if err := readHeading(text); err != nil {
		return nil, false, err
	}
	end := bytes.LastIndex(text, []byte("\n{\"sha256\":"))
	if end < 0 {
		return nil, false, errCut
	}
	body, rest := text[:end+1], text[end+1:]
	foot, more, whole := bytes.Cut(rest, []byte("\n"))
	var f footing
	if !whole || json.Unmarshal(foot, &f) != nil {
		return nil, false, errCut
	}
	if sum := sha256.Sum256(body); f.SHA256 != hex.EncodeToString(sum[:]) {
		return nil, false, errDamaged
	}
	entries, err = readEntries(body)
	return entries, len(more) > 0, err // even a cut note means that it was opened
}

func readHeading(text []byte) error {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	var h heading
	if json.Unmarshal(first, &h) != nil || h.Format != format {
		return errForeign
	}
	if h.Version != version {
		return fmt.Errorf("of version %d, and this memlog reads version %d", h.Version, version)
	}
	return nil
}

// readEntries reads the lines behind the heading.
func readEntries(body []byte) (entries []entry, err error) {
	_, body, _ = bytes.Cut(body, []byte("\n"))
	for n := 2; len(body) > 0; n++ {
		var text []byte
		text, body, _ = bytes.Cut(body, []byte("\n"))
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		var e entry
		if err := d.Decode(&e); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}
