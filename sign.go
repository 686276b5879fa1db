package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strconv"
	"sync"
	"time"
)

// Tokens are verified by gorilla/securecookie and signed in its format. Its own Encode would take more than half of the
// allocations of a new session; with a MAC that is used again, signing takes one.

// A pen signs with one key. Goroutines may share it.
type pen struct{ idle sync.Pool }

func newPen(key []byte) *pen {
	return &pen{sync.Pool{New: func() any { return &inked{mac: hmac.New(sha256.New, key)} }}}
}

// sign returns
//
//	base64(time "|" base64(token) "|" HMAC-SHA256(key, name "|" time "|" base64(token)))
//
// which is what securecookie.Encode returns for a key that does not encrypt.
func (p *pen) sign(name string, t rawToken) string {
	i := p.idle.Get().(*inked)
	defer p.idle.Put(i)
	return i.sign(name, t, time.Now())
}

// An inked pen is in one hand: the MAC, and room for what it signs.
type inked struct {
	mac  hash.Hash
	room []byte
}

func (i *inked) sign(name string, t rawToken, now time.Time) string {
	b := append(i.room[:0], name...)
	b = append(b, '|')
	b = strconv.AppendInt(b, now.Unix(), 10)
	b = append(b, '|')
	b = base64.URLEncoding.AppendEncode(b, t[:])
	i.mac.Reset()
	i.mac.Write(b) // never fails
	b = append(b, '|')
	b = i.mac.Sum(b)
	length := len(b)
	b = base64.URLEncoding.AppendEncode(b, b[len(name)+1:])
	signed := string(b[length:])
	clear(b) // a token belongs to the client and to one request
	i.room = b
	return signed
}
