package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A visitor has one session, uses it on all servers, and remembers what was acknowledged. Many goroutines may use it.
type visitor struct {
	http *http.Client

	mu sync.Mutex
	// mu locks the remaining fields.
	cookie  string
	retired []string // cookies that a login has replaced
	added   ops      // counted, and set as a value, in one commit
	listed  ops      // appended to a list by Key.Update
	never   []int    // must not be there: their handler has panicked
	ended   outcome  // whether the session was
}

// ops are operations by their number.
type ops map[int]outcome

// An outcome is what the visitor knows of an operation.
type outcome uint8

const (
	notTried     outcome = iota
	unknown              // it ended in an error: it may have happened or not
	acknowledged         // it has happened, and nothing may undo it
)

func (o ops) count(want outcome) (n int) {
	for _, got := range o {
		if got == want {
			n++
		}
	}
	return n
}

func newVisitor(h *http.Client) *visitor { return &visitor{http: h, added: ops{}, listed: ops{}} }

// An httpError is a response other than 200.
type httpError struct {
	status int
	body   string
}

func (e *httpError) Error() string { return fmt.Sprintf("status %d: %.200s", e.status, e.body) }

// send makes a request of the session, and keeps the cookie that comes back.
func (v *visitor) send(method, address, path string, form url.Values) (string, error) {
	body, fresh, err := request(v.http, method, address, path, form, v.token())
	if err == nil && fresh != "" {
		v.mu.Lock()
		v.cookie = fresh
		v.mu.Unlock()
	}
	return body, err
}

func (v *visitor) token() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.cookie
}

// request makes a request with a session cookie, and returns the cookie that the response sets, if any.
func request(
	h *http.Client, method, address, path string, form url.Values, cookie string,
) (body, fresh string, err error) {
	req, err := http.NewRequest(method, "http://"+address+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if cookie != "" {
		req.AddCookie(&http.Cookie{Name: "session", Value: cookie})
	}
	resp, err := h.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", "", &httpError{resp.StatusCode, string(text)}
	}
	for _, c := range resp.Cookies() {
		if c.Name == "session" {
			fresh = c.Value
		}
	}
	return string(text), fresh, nil
}

func (v *visitor) operate(address, path string, op int, in ops) error {
	_, err := v.send("POST", address, path, url.Values{"op": {strconv.Itoa(op)}})
	v.mu.Lock()
	defer v.mu.Unlock()
	in[op] = unknown
	if err == nil {
		in[op] = acknowledged
	}
	return err
}

// do counts, and sets a value, in one commit.
func (v *visitor) do(address string, op int) error { return v.operate(address, "/do", op, v.added) }

// appendOne appends to a list with Key.Update.
func (v *visitor) appendOne(address string, op int) error {
	return v.operate(address, "/append", op, v.listed)
}

// logIn renews the token.
func (v *visitor) logIn(address, owner string) error {
	before := v.token()
	_, err := v.send("POST", address, "/login", url.Values{"owner": {owner}})
	v.mu.Lock()
	defer v.mu.Unlock()
	if err == nil && before != "" && v.cookie != before {
		v.retired = append(v.retired, before)
	}
	return err
}

func (v *visitor) logOut(address string) error {
	_, err := v.send("POST", address, "/logout", nil)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ended = unknown
	if err == nil {
		v.ended = acknowledged
	}
	return err
}

// A content is what a server says is in a session.
type content struct {
	Exists bool
	Owner  string
	Values map[string]json.RawMessage
}

// look reads a session on a server, for as long as it takes to get an answer.
func look(h *http.Client, address, cookie string) (c content, err error) {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var body string
		if body, _, err = request(h, "GET", address, "/session", nil, cookie); err == nil {
			return c, json.Unmarshal([]byte(body), &c)
		}
	}
	return c, err
}
