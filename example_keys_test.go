package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
)

// start stands for a start of the server with other keys and the same store.
func start(s store.Store, keys ...[]byte) *session.Manager {
	m, err := session.New(s, &session.Config{Keys: keys})
	if err != nil {
		log.Fatal(err)
	}
	return m
}

// Replace the signing key without logging anybody out. Each step is a deploy to all servers.
func ExampleConfig_keys() {
	// In a program keys are random and secret, and come from outside: session.ParseKeys(os.Getenv("SESSION_KEYS"))
	oldKey, newKey := bytes.Repeat([]byte("o"), 32), bytes.Repeat([]byte("n"), 32)
	ctx, db := context.Background(), mem.New(nil)

	m := start(db, oldKey)
	s, err := m.Create(ctx)
	if err != nil {
		log.Fatal(err)
	}
	token, _ := s.Token()
	m.Close()

	// 1. Every server learns to verify the new key, before any signs with it.
	// 2. Every server signs with the new key, and still verifies the old one.
	// 3. The old key goes when the last session from before step 2 has ended: after Config.Lifetime, or the longest that
	//    Session.SetLifetime gave. A browser with a token signed by it is a new visitor.
	for _, keys := range [][][]byte{{oldKey, newKey}, {newKey, oldKey}, {newKey}} {
		m := start(db, keys...)
		_, err := m.Open(ctx, token)
		fmt.Println("logged out:", errors.Is(err, session.ErrEnded))
		m.Close()
	}
	// Output:
	// logged out: false
	// logged out: false
	// logged out: true
}
