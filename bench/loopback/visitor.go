package loopback

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/lazysession/session/bench/child"
)

// A visitor has a session of its own.
type visitor struct {
	server *child.Process
	cookie string // the value of its Cookie header
}

// foreign is the cookie for servers that give none. It is as long as this library's signed one: longer requests cost a
// server more, whatever it does with them.
var foreign = "__Host-session=" + strings.Repeat("x", 120)

// newVisitor starts a session.
func newVisitor(ctx context.Context, s *child.Process) (*visitor, error) {
	v := &visitor{server: s, cookie: foreign}
	response, err := v.get(ctx, "/start")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if cookies := response.Cookies(); len(cookies) > 0 {
		v.cookie = cookies[0].Name + "=" + cookies[0].Value
	}
	return v, nil
}

// check makes sure that requests one after the other get the right answers.
func (v *visitor) check(ctx context.Context, w work) error {
	const requests = 20
	for n := 1; n <= requests; n++ {
		got, err := v.ask(ctx, w.path)
		if err != nil {
			return err
		}
		if got != strconv.Itoa(w.answer(n)) {
			return fmt.Errorf("answer to request %d: got %q, want %d", n, got, w.answer(n))
		}
	}
	return nil
}

func (v *visitor) ask(ctx context.Context, path string) (string, error) {
	response, err := v.get(ctx, path)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func (v *visitor) get(ctx context.Context, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.server.Address+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Cookie", v.cookie)
	return http.DefaultClient.Do(r)
}
