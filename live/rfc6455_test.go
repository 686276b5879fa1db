package live_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Opcodes (RFC 6455, section 5.2).
const (
	opContinue, opText, opBinary = 0x0, 0x1, 0x2
	opClose, opPing, opPong      = 0x8, 0x9, 0xa
)

const fin = 0x80

// raw returns a masked frame. first is the header's first byte.
func raw(first byte, payload string) string {
	head := []byte{first}
	switch n := len(payload); {
	case n < 126:
		head = append(head, 0x80|byte(n))
	case n < 1<<16:
		head = binary.BigEndian.AppendUint16(append(head, 0x80|126), uint16(n))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 0x80|127), uint64(n))
	}
	return masked(string(head), payload)
}

// masked returns a header, a key and the payload under that key.
func masked(head, payload string) string {
	key := "\x5a\x00\xff\x13"
	text := []byte(head + key + payload)
	for i := range len(payload) {
		text[len(head)+len(key)+i] ^= key[i%len(key)]
	}
	return string(text)
}

func closing(code uint16, reason string) string {
	return raw(fin|opClose, string(binary.BigEndian.AppendUint16(nil, code))+reason)
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
func readRaw(r *bufio.Reader) (op byte, payload string, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, "", err
	}
	n := uint64(head[1])
	long := make([]byte, 8)
	switch n {
	case 126:
		_, err = io.ReadFull(r, long[6:])
		n = binary.BigEndian.Uint64(long)
	case 127:
		_, err = io.ReadFull(r, long)
		n = binary.BigEndian.Uint64(long)
	}
	if err != nil {
		return 0, "", err
	}
	if head[0]&0xf0 != fin || head[1]&0x80 != 0 {
		return 0, "", fmt.Errorf("a header of %x", head)
	}
	text := make([]byte, n)
	_, err = io.ReadFull(r, text)
	return head[0] & 0x0f, string(text), err
}

// answers reads what the server sends until it closes, or until it has sent what is wanted: "ack 1", "pong x", "close
// 1002".
func answers(r *bufio.Reader, want string) string {
	var all []string
	for strings.Join(all, ", ") != want {
		op, payload, err := readRaw(r)
		switch {
		case err != nil:
			return strings.Join(append(all, "broken: "+err.Error()), ", ")
		case op == opPong:
			all = append(all, "pong "+payload)
		case op == opClose && len(payload) < 2:
			return strings.Join(append(all, "close"), ", ")
		case op == opClose:
			return strings.Join(append(all, fmt.Sprint("close ", binary.BigEndian.Uint16([]byte(payload)))), ", ")
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
	add("a text", "ack 1", raw(fin|opText, message))
	add("a text with a key of zeros", "ack 1", string([]byte{fin | opText, 0x80 | 7, 0, 0, 0, 0})+message)

	// 5.2 Base framing protocol
	for rsv := byte(0x10); rsv <= 0x70; rsv += 0x10 {
		for _, op := range []byte{opText, opPing, opClose} {
			add(fmt.Sprintf("reserved bits %x of opcode %x", rsv, op), "close 1002", raw(fin|rsv|op, ""))
		}
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		add(fmt.Sprintf("reserved opcode %x", op), "close 1002", raw(fin|op, ""))
		add(fmt.Sprintf("reserved opcode %x with payload", op), "close 1002", raw(fin|op, "abc"))
	}
	for _, n := range []int{7, 124, 125, 126, 127, 128, 65535, 65536} {
		text := `[1,"` + strings.Repeat("a", n-6) + `"]`
		add(fmt.Sprintf("a text of %d bytes", n), "ack 1", raw(fin|opText, text))
	}
	add("a text that is too large", "close 1009", raw(fin|opText, `[1,"`+strings.Repeat("a", 65536)+`"]`))
	add("a length of 2 bytes where 7 bits do", "close 1002",
		masked(string([]byte{fin | opText, 0x80 | 126, 0, 7}), message))
	add("a length of 8 bytes where 2 do", "close 1002",
		masked(string([]byte{fin | opText, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 7}), message))
	add("a length of 8 bytes with the highest bit", "close 1002",
		masked(string([]byte{fin | opText, 0x80 | 127, 0x80, 0, 0, 0, 0, 1, 0, 0}), message))
	add("a length of more than there is memory", "close 1009",
		masked(string([]byte{fin | opText, 0x80 | 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
			strings.Repeat("a", 90000)))

	// 5.1 Masking
	for _, op := range []byte{opContinue, opText, opBinary, opClose, opPing, opPong} {
		add(fmt.Sprintf("opcode %x without a mask", op), "close 1002", string([]byte{fin | op, 0}))
	}
	add("a text without a mask behind one with", "close 1002", raw(fin|opText, message), "\x81\x01a")

	// 5.4 Fragmentation
	add("two fragments", "ack 1", raw(opText, message[:3]), raw(fin|opContinue, message[3:]))
	for at := range len(message) + 1 {
		add(fmt.Sprintf("three fragments, one empty, cut at %d", at), "ack 1",
			raw(opText, message[:at]), raw(opContinue, ""), raw(fin|opContinue, message[at:]))
	}
	add("a continuation of nothing", "close 1002", raw(fin|opContinue, message))
	add("a continuation of nothing, with more to come", "close 1002", raw(opContinue, message))
	add("a continuation of what is complete", "close 1002", raw(fin|opText, message), raw(fin|opContinue, "a"))
	add("a text within a text", "close 1002", raw(opText, "["), raw(fin|opText, message))
	add("a binary within a text", "close 1002", raw(opText, "["), raw(fin|opBinary, message))
	add("a text too large in fragments", "close 1009", raw(opText, `[1,"`), raw(opContinue, strings.Repeat("a", 50000)),
		raw(opContinue, strings.Repeat("a", 50000)))

	// 5.5 Control frames
	for _, n := range []int{0, 1, 125} {
		payload := strings.Repeat("p", n)
		add(fmt.Sprintf("a ping of %d bytes", n), "pong "+payload, raw(fin|opPing, payload))
	}
	add("a ping within a text", "pong x, ack 1", raw(opText, message[:3]), raw(fin|opPing, "x"),
		raw(fin|opContinue, message[3:]))
	add("two pings", "pong a, pong b", raw(fin|opPing, "a"), raw(fin|opPing, "b"))
	add("a pong that nobody asked for", "ack 1", raw(fin|opPong, "x"), raw(fin|opText, message))
	add("a pong within a text", "ack 1", raw(opText, message[:3]), raw(fin|opPong, ""), raw(fin|opContinue, message[3:]))
	add("a close within a text", "close 1000", raw(opText, message[:3]), closing(1000, ""))
	for _, op := range []byte{opClose, opPing, opPong} {
		add(fmt.Sprintf("opcode %x in fragments", op), "close 1002", raw(op, ""), raw(fin|opContinue, ""))
		add(fmt.Sprintf("opcode %x of 126 bytes", op), "close 1002", raw(fin|op, strings.Repeat("\x03\xe8", 63)))
	}

	// 7.4 Status codes
	add("a close without a code", "close", raw(fin|opClose, ""))
	add("a close of 1 byte", "close 1002", raw(fin|opClose, "\x03"))
	add("a close with the longest reason", "close 1000", closing(1000, strings.Repeat("r", 123)))
	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		add(fmt.Sprint("a close with ", code), fmt.Sprint("close ", code), closing(code, ""))
	}
	for _, code := range []uint16{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		add(fmt.Sprint("a close with ", code), "close 1002", closing(code, ""))
	}

	// 8.1 UTF-8
	long := `[1,"κόσμε €𝄞"]`
	for at := 4; at < len(long)-2; at++ {
		add(fmt.Sprintf("UTF-8 in fragments cut at %d", at), "ack 1", raw(opText, long[:at]), raw(fin|opContinue, long[at:]))
	}
	for _, bad := range []string{
		"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe0\x80\x80", "\xe2\x82", "\xed\xa0\x80", "\xed\xbf\xbf",
		"\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
	} {
		add(fmt.Sprintf("no UTF-8: %x", bad), "close 1007", raw(fin|opText, `[1,"`+bad+`"]`))
		add(fmt.Sprintf("no UTF-8 in fragments: %x", bad), "close 1007",
			raw(opText, `[1,"`+bad[:1]), raw(fin|opContinue, bad[1:]+`"]`))
	}

	// The protocol live.1 has no binary messages.
	add("a binary", "close 4400", raw(fin|opBinary, message))
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
			go io.Copy(conn, bytes.NewReader([]byte(raw(fin|opText, hello)+c.send)))
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
