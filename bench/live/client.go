package live

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lazysession/session/bench/measure"
)

// A client is one connection to a server. It says as little as a browser would have to.
type client struct {
	live  bool // it speaks live.1
	conn  net.Conn
	r     *bufio.Reader
	buf   []byte
	sent  uint64
	got   uint64 // the number of the newest message; without live.1, how many there were
	acked uint64
	out   []byte
}

// patience is how long anything may take that a client waits for.
const patience = time.Minute

// foreign is the cookie of those whose server gives them none. It is as long as this library's.
var foreign = "session=" + strings.Repeat("x", 112)

// dial opens a socket on a path, with a session of its own where the server has sessions.
func (t turn) dial(path string) (*client, error) {
	conn, err := net.Dial("tcp", t.server.Address)
	if err != nil {
		return nil, err
	}
	c := &client{live: t.contender == measure.Ours, conn: conn, r: bufio.NewReaderSize(conn, 512)}
	conn.SetDeadline(time.Now().Add(patience))
	err = c.open(t.server.Address, path)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("opening a socket: %w", err)
	}
	return c, nil
}

func (c *client) open(address, path string) error {
	cookie := foreign
	if c.live {
		response, err := c.request("GET /start HTTP/1.1\r\nHost: " + address + "\r\n\r\n")
		if err != nil {
			return err
		}
		cookie, _, _ = strings.Cut(response.Header.Get("Set-Cookie"), ";")
	}
	response, err := c.request("GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\nOrigin: http://" + address +
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
		"dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: live.1\r\nCookie: " + cookie + "\r\n\r\n")
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		return errors.Join(err, fmt.Errorf("got %+v, want an upgrade", response))
	}
	if !c.live {
		return nil
	}
	if err := c.write([]byte(`{"t":"hello"}`)); err != nil {
		return err
	}
	text, err := c.frame()
	if !bytes.HasPrefix(text, []byte(`{"t":"welcome"`)) {
		return errors.Join(err, fmt.Errorf("got %.80q, want a welcome", text))
	}
	return err
}

func (c *client) request(text string) (*http.Response, error) {
	if _, err := io.WriteString(c.conn, text); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(c.r, nil)
	if err == nil {
		io.Copy(io.Discard, response.Body)
	}
	return response, err
}

// send sends a message, which is JSON.
func (c *client) send(data []byte) error {
	c.sent++
	if !c.live {
		return c.write(data)
	}
	text := strconv.AppendUint([]byte{'['}, c.sent, 10)
	return c.write(append(append(append(text, ','), data...), ']'))
}

// write writes a text frame. Its mask is zero, so the payload is as it was.
func (c *client) write(text []byte) error {
	out := append(c.out[:0], 0x81)
	if len(text) < 126 {
		out = append(out, 0x80|byte(len(text)))
	} else {
		out = binary.BigEndian.AppendUint16(append(out, 0x80|126), uint16(len(text)))
	}
	out = append(append(out, 0, 0, 0, 0), text...)
	c.out = out
	_, err := c.conn.Write(out)
	return err
}

// receive returns the data of the next message, and acknowledges as live.1 wants it.
func (c *client) receive() ([]byte, error) {
	for {
		text, err := c.frame()
		if err != nil {
			return nil, err
		}
		if !c.live {
			c.got++
			return text, nil
		}
		data, n, stream := parse(text)
		if n == 0 {
			continue
		}
		c.got = n
		if n >= c.acked+32 {
			c.acked = n
			if err := c.write(fmt.Appendf(nil, `{"t":"ack","at":{%q:%d}}`, stream, n)); err != nil {
				return nil, err
			}
		}
		if data != nil {
			return data, nil
		}
	}
}

// parse takes a frame of live.1 apart. Without data it is what happened to a member, and without a number none of a
// stream.
func parse(text []byte) (data []byte, n uint64, stream string) {
	if text[0] == '{' {
		_, tail, member := bytes.Cut(text, []byte(`{"t":"member","s":"`))
		if !member {
			return nil, 0, ""
		}
		name, tail, _ := bytes.Cut(tail, []byte(`","n":`))
		return nil, number(tail), string(name)
	}
	_, data, _ = bytes.Cut(text, []byte(","))
	data = data[:len(data)-1]
	if at := bytes.LastIndexByte(data, ','); at >= 0 { // none of our messages has a comma
		data, stream = data[:at], strings.Trim(string(data[at+1:]), `"`)
	}
	return data, number(text[1:]), stream
}

// number reads the digits that a text begins with.
func number(text []byte) (n uint64) {
	for _, c := range text {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + uint64(c-'0')
	}
	return n
}

// frame returns the payload of the next frame, which is short-lived.
func (c *client) frame() ([]byte, error) {
	for {
		head, err := c.r.Peek(2)
		if err != nil {
			return nil, err
		}
		op, n := head[0]&15, int(head[1])
		c.r.Discard(2)
		if n >= 126 {
			long := make([]byte, []int{2, 8}[n-126])
			if _, err := io.ReadFull(c.r, long); err != nil {
				return nil, err
			}
			n = int(binary.BigEndian.Uint64(append(make([]byte, 8-len(long)), long...)))
		}
		if cap(c.buf) < n {
			c.buf = make([]byte, n)
		}
		c.buf = c.buf[:n]
		if _, err := io.ReadFull(c.r, c.buf); err != nil {
			return nil, err
		}
		switch op {
		case 1:
			return c.buf, nil
		case 8:
			return nil, fmt.Errorf("closed by the server: %q", c.buf)
		}
	}
}

// want receives the next message and compares it.
func (c *client) want(text []byte) error {
	got, err := c.receive()
	if err == nil && string(got) != string(text) {
		return fmt.Errorf("got %.80q, want %.80q", got, text)
	}
	return err
}
