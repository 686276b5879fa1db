package live_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A rawPeer is a WebSocket client that writes any bytes.
type rawPeer struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func (s *site) dialRaw(t *testing.T, cookie string) *rawPeer {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	r, _ := http.NewRequest("GET", s.url+"/live", nil)
	r.Header = http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Cookie": {cookie}, "Origin": {s.url},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
		"Sec-Websocket-Protocol": {"live.1"},
	}
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	p := &rawPeer{t: t, conn: conn, r: bufio.NewReader(conn)}
	resp, err := http.ReadResponse(p.r, r)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v, error %v", resp, err)
	}
	return p
}

// masked returns a frame with a mask of zeros.
func masked(first byte, payload string) string {
	frame := []byte{first}
	if len(payload) < 126 {
		frame = append(frame, 0x80|byte(len(payload)))
	} else {
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(len(payload)))
	}
	return string(frame) + "\x00\x00\x00\x00" + payload
}

// closeCode reads frames up to a close frame, and returns its code.
func (p *rawPeer) closeCode() int {
	p.t.Helper()
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(p.r, head); err != nil {
			p.t.Fatalf("no close frame: %v", err)
		}
		n := int(head[1])
		if n == 126 {
			var size uint16
			binary.Read(p.r, binary.BigEndian, &size)
			n = int(size)
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(p.r, payload); err != nil {
			p.t.Fatal(err)
		}
		if head[0] == 0x88 && n >= 2 {
			return int(binary.BigEndian.Uint16(payload))
		}
	}
}

func TestFramesThatRFC6455Forbids(t *testing.T) {
	site := newSite(t, echo, nil)
	cookie := site.login("ada")
	for what, test := range map[string]struct {
		bytes string
		code  int
	}{
		"unmasked":                     {"\x81\x02{}", 1002},
		"reserved bit 1":               {masked(0xC1, `{}`), 1002},
		"reserved bit 2":               {masked(0xA1, `{}`), 1002},
		"reserved bit 3":               {masked(0x91, `{}`), 1002},
		"unknown operation":            {masked(0x83, ``), 1002},
		"unknown control operation":    {masked(0x8B, ``), 1002},
		"a ping of 126 bytes":          {masked(0x89, strings.Repeat("x", 126)), 1002},
		"a ping in fragments":          {masked(0x09, ``), 1002},
		"a continuation of nothing":    {masked(0x80, `{}`), 1002},
		"a text within a text":         {masked(0x01, `{`) + masked(0x81, `}`), 1002},
		"a close code of 999":          {masked(0x88, "\x03\xe7"), 1002},
		"a close code of 1005":         {masked(0x88, "\x03\xed"), 1002},
		"a close frame of one byte":    {masked(0x88, "\x03"), 1002},
		"text that isn't UTF-8":        {masked(0x81, "[1,\"\xff\"]"), 1007},
		"a character cut by the end":   {masked(0x01, "[1,\"\xc3") + masked(0x80, "\"]"), 1007},
		"binary":                       {masked(0x82, `{}`), 4400},
		"a right close":                {masked(0x88, "\x03\xe8"), 1000},
		"a ping within, then no frame": {masked(0x01, `[`) + masked(0x89, ``) + masked(0x80, `]`), 4400},
	} {
		t.Run(what, func(t *testing.T) {
			p := site.dialRaw(t, cookie)
			if _, err := io.WriteString(p.conn, masked(0x81, hello)+test.bytes); err != nil {
				t.Fatal(err)
			}
			if got := p.closeCode(); got != test.code {
				t.Errorf("closed with %d, want %d", got, test.code)
			}
		})
	}
	eventually(t, "nothing of the sockets is left", func() bool { return site.hub.Held() == 0 })
}

func TestCharacterSplitOverFragments(t *testing.T) {
	site := newSite(t, echo, nil)
	p := site.dialRaw(t, site.login("ada"))
	io.WriteString(p.conn, masked(0x81, hello)+masked(0x01, "[1,\"\xc3")+masked(0x89, "ping")+masked(0x80, "\xa9\"]")+
		masked(0x81, `{"t":"end"}`))
	if got := p.closeCode(); got != 1000 {
		t.Errorf("closed with %d, want 1000", got)
	}
}
