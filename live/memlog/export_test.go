package memlog

// Bytes returns what all messages take.
func (l *Log) Bytes() int64 { return l.bytes.Load() }

// DecodeBody reads the lines of an archive behind its checks, and makes a log of them.
func DecodeBody(body []byte) error {
	entries, err := readEntries(body)
	if err != nil {
		return err
	}
	return New(nil).load(entries)
}

// Decode reads a whole archive.
func Decode(text []byte) error {
	entries, _, err := decode(text)
	if err != nil {
		return err
	}
	return New(nil).load(entries)
}
