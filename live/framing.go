package live

import (
	"encoding/binary"
	"errors"
)

// errFraming says that a client has broken the rules of framing.
var errFraming = errors.New("broken framing")

// A framing follows the frames of a client as their bytes come, and finds what coder/websocket lets pass, or answers
// with no close frame: frames that are not masked (RFC 6455, section 5.1), and lengths that are not written in the
// shortest way (section 5.2).
type framing struct {
	head    [14]byte
	have    int    // of head
	payload uint64 // that is still to come
	broken  bool
}

// follow takes the next bytes. After an error it takes no more.
func (f *framing) follow(p []byte) error {
	for len(p) > 0 && !f.broken {
		if f.payload > 0 {
			skipped := min(f.payload, uint64(len(p)))
			f.payload -= skipped
			p = p[skipped:]
			continue
		}
		f.head[f.have] = p[0]
		f.have++
		p = p[1:]
		f.heading()
	}
	if f.broken {
		return errFraming
	}
	return nil
}

// heading looks at a header, which may not be complete.
func (f *framing) heading() {
	const keySize = 4
	if f.have < 2 {
		return
	}
	length, size := uint64(f.head[1]&0x7f), 2
	switch length {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	f.broken = f.head[1]&0x80 == 0
	if f.have < size {
		return
	}
	switch size {
	case 4:
		length = uint64(binary.BigEndian.Uint16(f.head[2:]))
		f.broken = f.broken || length < 126
	case 10:
		length = binary.BigEndian.Uint64(f.head[2:])
		f.broken = f.broken || length < 1<<16 || length > 1<<63-1
	}
	if f.have == size+keySize {
		f.have, f.payload = 0, length
	}
}
