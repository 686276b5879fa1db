package session_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

// A connection that was upgraded goes on after its request. It keeps a Handle, and takes a Session of it for each
// message.
func ExampleSession_Handle() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	messages := session.NewCounter("messages")

	var handle *session.Handle
	upgrade := func(w http.ResponseWriter, r *http.Request) {
		s := session.FromContext(r.Context())
		if err := s.SetOwner("ann"); err != nil { // so there is a session
			session.Error(w, r, err)
			return
		}
		if handle, err = s.Handle(); err != nil {
			session.Error(w, r, err)
		}
	}
	onMessage := func(ctx context.Context) error {
		s := handle.Session(ctx)
		n, err := messages.Add(session.NewContext(ctx, s), 1)
		if err != nil {
			return err // session.ErrEnded: close the connection
		}
		fmt.Println("message", n)
		return s.Commit(ctx)
	}

	m.Handler(http.HandlerFunc(upgrade)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	fmt.Println(onMessage(context.Background()))
	fmt.Println(onMessage(context.Background()))
	if err := m.End(context.Background(), handle.ID()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(onMessage(context.Background()))
	// Output:
	// message 1
	// <nil>
	// message 2
	// <nil>
	// session: session has ended
}
