package live_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// The peer of the tests reads and writes frames with gobwas/ws, so that the tests see a mistake about RFC 6455 which
// both ends of this module share. What gobwas/ws doesn't write is written as bytes.

// maskingKey is the key of all frames.
var maskingKey = [4]byte{0x5a, 0x00, 0xff, 0x13}

// whole returns a masked frame with FIN, and part one without, whether RFC 6455 allows it or not.
func whole(op ws.OpCode, payload string) string {
	return masked(ws.NewFrame(op, true, []byte(payload)))
}
func part(op ws.OpCode, payload string) string {
	return masked(ws.NewFrame(op, false, []byte(payload)))
}

func closing(code ws.StatusCode, reason string) string {
	return masked(ws.NewCloseFrame(ws.NewCloseFrameBody(code, reason)))
}

func masked(f ws.Frame) string   { return unmasked(ws.MaskFrameWith(f, maskingKey)) }
func unmasked(f ws.Frame) string { return string(ws.MustCompileFrame(f)) }

// headed returns a masked payload behind a header of any bytes.
func headed(header, payload string) string {
	f := ws.MaskFrameWith(ws.NewTextFrame([]byte(payload)), maskingKey)
	return header + string(maskingKey[:]) + string(f.Payload)
}

// upgrade opens a raw connection that is ready for frames.
func (s *site) upgrade(header http.Header) (net.Conn, *bufio.Reader, *http.Response) {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	var b strings.Builder
	fmt.Fprintf(&b, "GET /live HTTP/1.1\r\nHost: %s\r\n", strings.TrimPrefix(s.url, "http://"))
	for name, values := range header {
		for _, value := range values {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	if _, err := io.WriteString(conn, b.String()+"\r\n"); err != nil {
		s.t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return conn, r, resp
}

func (s *site) handshake(cookie string) http.Header {
	return http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-WebSocket-Version": {"13"},
		"Sec-WebSocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-WebSocket-Protocol": {"live.1"},
		"Cookie": {cookie}, "Origin": {s.url},
	}
}

// readRaw reads a frame of the server, which is never masked and always whole.
func readRaw(r *bufio.Reader) (op ws.OpCode, payload []byte, err error) {
	h, err := ws.ReadHeader(r)
	if err != nil {
		return 0, nil, err
	}
	if h.Masked || !h.Fin || h.Rsv != 0 || h.Length > 1<<20 {
		return 0, nil, fmt.Errorf("a header of %+v", h)
	}
	payload = make([]byte, h.Length)
	_, err = io.ReadFull(r, payload)
	return h.OpCode, payload, err
}

// answers reads what the server sends until it closes, or until it has sent what is wanted: "ack 1", "pong x", "close
// 1002".
func answers(r *bufio.Reader, want string) string {
	var all []string
	for strings.Join(all, ", ") != want {
		op, data, err := readRaw(r)
		payload := string(data)
		switch {
		case err != nil:
			return strings.Join(append(all, "broken: "+err.Error()), ", ")
		case op == ws.OpPong:
			all = append(all, "pong "+payload)
		case op == ws.OpClose && len(payload) < 2:
			return strings.Join(append(all, "close"), ", ")
		case op == ws.OpClose:
			code, _ := ws.ParseCloseFrameData(data)
			return strings.Join(append(all, fmt.Sprint("close ", code)), ", ")
		case strings.HasPrefix(payload, `{"t":"ack"`) && !strings.Contains(want, "ack"):
			// A connection that fails may fail before it is sent.
		case strings.HasPrefix(payload, `{"t":"ack"`):
			all = append(all, "ack "+strings.Trim(payload, `{}"tackin:,`))
		case strings.HasPrefix(payload, `{"t":"welcome"`), strings.HasPrefix(payload, "["):
		default:
			all = append(all, payload)
		}
	}
	return want
}

type rfcCase struct{ name, send, want string }

// rfcCases are bytes that a client sends behind its hello, and what RFC 6455 wants for them.
func rfcCases() (all []rfcCase) {
	add := func(name, want string, frames ...string) {
		all = append(all, rfcCase{name, strings.Join(frames, ""), want})
	}
	message := `[1,"a"]`
	add("a text", "ack 1", whole(ws.OpText, message))
	add("a text with a key of zeros", "ack 1",
		unmasked(ws.MaskFrameWith(ws.NewTextFrame([]byte(message)), [4]byte{})))

	// 5.2 Base framing protocol
	for rsv := byte(1); rsv <= 7; rsv++ {
		for _, op := range []ws.OpCode{ws.OpText, ws.OpPing, ws.OpClose} {
			f := ws.NewFrame(op, true, nil)
			f.Header.Rsv = rsv
			add(fmt.Sprintf("reserved bits %x of opcode %x", rsv, op), "close 1002", masked(f))
		}
	}
	for _, op := range []ws.OpCode{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		add(fmt.Sprintf("reserved opcode %x", op), "close 1002", whole(op, ""))
		add(fmt.Sprintf("reserved opcode %x with payload", op), "close 1002", whole(op, "abc"))
	}
	for _, n := range []int{7, 124, 125, 126, 127, 128, 65535, 65536} {
		text := `[1,"` + strings.Repeat("a", n-6) + `"]`
		add(fmt.Sprintf("a text of %d bytes", n), "ack 1", whole(ws.OpText, text))
	}
	add("a text that is too large", "close 1009", whole(ws.OpText, `[1,"`+strings.Repeat("a", 65536)+`"]`))
	add("a length of 2 bytes where 7 bits do", "close 1002", headed("\x81\xfe\x00\x07", message))
	add("a length of 8 bytes where 2 do", "close 1002", headed("\x81\xff\x00\x00\x00\x00\x00\x00\x00\x07", message))
	add("a length of 8 bytes with the highest bit", "close 1002",
		headed("\x81\xff\x80\x00\x00\x00\x00\x01\x00\x00", message))
	add("a length of more than there is memory", "close 1009",
		unmasked(ws.Frame{
			Header:  ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Mask: maskingKey, Length: math.MaxInt64},
			Payload: bytes.Repeat([]byte("a"), 90000),
		}))

	// 5.1 Masking
	for _, op := range []ws.OpCode{ws.OpContinuation, ws.OpText, ws.OpBinary, ws.OpClose, ws.OpPing, ws.OpPong} {
		add(fmt.Sprintf("opcode %x without a mask", op), "close 1002", unmasked(ws.NewFrame(op, true, nil)))
	}
	add("a text without a mask behind one with", "close 1002", whole(ws.OpText, message),
		unmasked(ws.NewTextFrame([]byte("a"))))

	// 5.4 Fragmentation
	add("two fragments", "ack 1", part(ws.OpText, message[:3]), whole(ws.OpContinuation, message[3:]))
	for at := range len(message) + 1 {
		add(fmt.Sprintf("three fragments, one empty, cut at %d", at), "ack 1",
			part(ws.OpText, message[:at]), part(ws.OpContinuation, ""), whole(ws.OpContinuation, message[at:]))
	}
	add("a continuation of nothing", "close 1002", whole(ws.OpContinuation, message))
	add("a continuation of nothing, with more to come", "close 1002", part(ws.OpContinuation, message))
	add("a continuation of what is complete", "close 1002", whole(ws.OpText, message), whole(ws.OpContinuation, "a"))
	add("a text within a text", "close 1002", part(ws.OpText, "["), whole(ws.OpText, message))
	add("a binary within a text", "close 1002", part(ws.OpText, "["), whole(ws.OpBinary, message))
	add("a text too large in fragments", "close 1009", part(ws.OpText, `[1,"`),
		part(ws.OpContinuation, strings.Repeat("a", 50000)), part(ws.OpContinuation, strings.Repeat("a", 50000)))

	// 5.5 Control frames
	for _, n := range []int{0, 1, 125} {
		payload := strings.Repeat("p", n)
		add(fmt.Sprintf("a ping of %d bytes", n), "pong "+payload, whole(ws.OpPing, payload))
	}
	add("a ping within a text", "pong x, ack 1", part(ws.OpText, message[:3]), whole(ws.OpPing, "x"),
		whole(ws.OpContinuation, message[3:]))
	add("two pings", "pong a, pong b", whole(ws.OpPing, "a"), whole(ws.OpPing, "b"))
	add("a pong that nobody asked for", "ack 1", whole(ws.OpPong, "x"), whole(ws.OpText, message))
	add("a pong within a text", "ack 1", part(ws.OpText, message[:3]), whole(ws.OpPong, ""),
		whole(ws.OpContinuation, message[3:]))
	add("a close within a text", "close 1000", part(ws.OpText, message[:3]), closing(1000, ""))
	for _, op := range []ws.OpCode{ws.OpClose, ws.OpPing, ws.OpPong} {
		add(fmt.Sprintf("opcode %x in fragments", op), "close 1002", part(op, ""), whole(ws.OpContinuation, ""))
		add(fmt.Sprintf("opcode %x of 126 bytes", op), "close 1002", whole(op, strings.Repeat("\x03\xe8", 63)))
	}

	// 7.4 Status codes
	add("a close without a code", "close", whole(ws.OpClose, ""))
	add("a close of 1 byte", "close 1002", whole(ws.OpClose, "\x03"))
	add("a close with the longest reason", "close 1000", closing(1000, strings.Repeat("r", 123)))
	for _, code := range []ws.StatusCode{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		add(fmt.Sprint("a close with ", code), fmt.Sprint("close ", code), closing(code, ""))
	}
	for _, code := range []ws.StatusCode{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		add(fmt.Sprint("a close with ", code), "close 1002", closing(code, ""))
	}

	// 8.1 UTF-8
	long := `[1,"κόσμε €𝄞"]`
	for at := 4; at < len(long)-2; at++ {
		add(fmt.Sprintf("UTF-8 in fragments cut at %d", at), "ack 1",
			part(ws.OpText, long[:at]), whole(ws.OpContinuation, long[at:]))
	}
	for _, bad := range []string{
		"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe0\x80\x80", "\xe2\x82", "\xed\xa0\x80", "\xed\xbf\xbf",
		"\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
	} {
		add(fmt.Sprintf("no UTF-8: %x", bad), "close 1007", whole(ws.OpText, `[1,"`+bad+`"]`))
		add(fmt.Sprintf("no UTF-8 in fragments: %x", bad), "close 1007",
			part(ws.OpText, `[1,"`+bad[:1]), whole(ws.OpContinuation, bad[1:]+`"]`))
	}

	// The protocol live.1 has no binary messages.
	add("a binary", "close 4400", whole(ws.OpBinary, message))
	return all
}

func TestRFC6455(t *testing.T) {
	site := newSite(t, echo, nil)
	cookie := site.login("ada")
	cases := rfcCases()
	if len(cases) < 120 {
		t.Errorf("%d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			conn, r, resp := site.upgrade(site.handshake(cookie))
			if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Protocol") != "live.1" ||
				resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // section 1.3
				t.Fatalf("handshake: %v", resp)
			}
			go io.Copy(conn, bytes.NewReader([]byte(whole(ws.OpText, hello)+c.send)))
			if got := answers(r, c.want); got != c.want {
				t.Errorf("got %.200q, want %.200q", got, c.want)
			}
			conn.Close()
		})
	}
}

// What is no handshake is answered in HTTP (RFC 6455, section 4.2).
func TestRFC6455Handshake(t *testing.T) {
	site := newSite(t, echo, nil)
	cookie := site.login("ada")
	for name, c := range map[string]struct {
		header, value string
		status        int
	}{
		"no upgrade":         {"Upgrade", "", http.StatusUpgradeRequired},
		"another upgrade":    {"Upgrade", "h2c", http.StatusUpgradeRequired},
		"no connection":      {"Connection", "", http.StatusUpgradeRequired},
		"another version":    {"Sec-WebSocket-Version", "12", http.StatusBadRequest},
		"no version":         {"Sec-WebSocket-Version", "", http.StatusBadRequest},
		"no key":             {"Sec-WebSocket-Key", "", http.StatusBadRequest},
		"a key too short":    {"Sec-WebSocket-Key", "c2hvcnQ=", http.StatusBadRequest},
		"a key not base64":   {"Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!==", http.StatusBadRequest},
		"upper-case upgrade": {"Upgrade", "WebSocket", http.StatusSwitchingProtocols},
		"several tokens":     {"Connection", "keep-alive, Upgrade", http.StatusSwitchingProtocols},
	} {
		header := site.handshake(cookie)
		if header[c.header] = []string{c.value}; c.value == "" {
			delete(header, c.header)
		}
		conn, _, resp := site.upgrade(header)
		if resp.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", name, resp.StatusCode, c.status)
		}
		conn.Close()
	}
	header := site.handshake(cookie)
	delete(header, "Sec-WebSocket-Protocol")
	conn, r, _ := site.upgrade(header)
	defer conn.Close()
	if got := answers(r, "close 4400"); got != "close 4400" {
		t.Errorf("without the subprotocol: got %s", got)
	}
}
