package conn

import (
	"io"
	"math"
	"syscall"
)

// piece is how many bytes the kernel moves before observers are told of them.
const piece = 256 << 10

// ReadFrom copies from r to the connection. It uses sendfile or splice where the connection below can use them for such
// an r. Where r is a connection with slots, or an io.LimitedReader of one, that depends on the connection below it.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	dst, ok := c.inner.(io.ReaderFrom)
	if !ok {
		return plainCopy(c, r)
	}
	from := sourceOf(r)
	switch {
	case !c.observed() && !from.conn.observed():
		return from.whole(dst)
	case !kernelKnows(from.below):
		return plainCopy(c, r)
	default:
		n, err := relay(c, dst, from.conn, from.below, from.limit())
		from.count(n)
		return n, err
	}
}

// WriteTo copies from the connection to w. It uses splice where the connection below can use it for such a w. Where w
// is a connection with slots, that depends on the connection below it.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	if v, ok := w.(ours); ok {
		to := v.self()
		if c.observed() || to.observed() {
			return to.ReadFrom(c)
		}
		w = to.inner
	}
	if !c.observed() {
		return io.Copy(w, c.inner)
	}
	if dst, ok := w.(io.ReaderFrom); ok && kernelKnows(w) && kernelKnows(c.inner) {
		return relay(nil, dst, c, c.inner, math.MaxInt64)
	}
	return plainCopy(w, c)
}

// A source is the reader that ReadFrom gets.
type source struct {
	given   io.Reader
	below   io.Reader         // the reader without the limit and without the slots
	conn    *Conn             // the connection with slots; nil if there is none
	limited *io.LimitedReader // the limit; nil if there is none
}

func sourceOf(r io.Reader) source {
	s := source{given: r, below: r}
	if l, ok := r.(*io.LimitedReader); ok {
		s.below, s.limited = l.R, l
	}
	if v, ok := s.below.(ours); ok {
		s.conn = v.self()
		s.below = s.conn.inner
	}
	return s
}

// whole copies the whole source to dst at once.
func (s source) whole(dst io.ReaderFrom) (int64, error) {
	switch {
	case s.conn == nil:
		return dst.ReadFrom(s.given)
	case s.limited == nil:
		return dst.ReadFrom(s.below)
	}
	l := io.LimitedReader{R: s.below, N: s.limited.N}
	n, err := dst.ReadFrom(&l)
	s.limited.N = l.N
	return n, err
}

func (s source) limit() int64 {
	if s.limited == nil {
		return math.MaxInt64
	}
	return s.limited.N
}

// count subtracts the bytes that were read from the limit.
func (s source) count(n int64) {
	if s.limited != nil {
		s.limited.N -= n
	}
}

// relay copies at most limit bytes in pieces, and tells the observers of both sides of each piece. A nil side has no
// observers. The kernel doesn't say on which side an error was, so both sides are told of it.
func relay(to *Conn, dst io.ReaderFrom, from *Conn, src io.Reader, limit int64) (total int64, err error) {
	for total < limit {
		l := io.LimitedReader{R: src, N: min(piece, limit-total)}
		n, err := dst.ReadFrom(&l)
		total += n
		end := err
		if err == nil && l.N > 0 {
			end = io.EOF
		}
		from.tellRead(n, end)
		if n > 0 || err != nil {
			to.tellWrite(n, err)
		}
		if end != nil {
			return total, err
		}
	}
	return total, nil
}

// plainCopy copies with Read and Write, which tell the observers.
func plainCopy(dst io.Writer, src io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{dst}, struct{ io.Reader }{src})
}

// kernelKnows reports whether v may have a file descriptor, from or to which the kernel can copy by itself.
func kernelKnows(v any) bool {
	_, ok := v.(syscall.Conn)
	return ok
}
