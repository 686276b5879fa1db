package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lazysession/session/live"
)

// A follower is a page's live socket, as a program.
type follower struct {
	t    *testing.T
	conn *live.Conn
}

// follow opens a socket with the browser's cookies.
func (b *browser) follow(path string) *follower {
	b.t.Helper()
	conn, err := live.Dial(b.t.Context(), b.address+path, &live.DialOptions{HTTPClient: b.client})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	return &follower{b.t, conn}
}

// within is how long a test waits for what has to come.
const within = time.Minute

func (f *follower) send(v any) error {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), within)
	defer cancel()
	data, err := json.Marshal(v)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.conn.Send(ctx, data)
}

func (f *follower) mustSend(v any) {
	f.t.Helper()
	if err := f.send(v); err != nil {
		f.t.Fatalf("sending %+v: %v", v, err)
	}
}

// wantRefused sends what is to be refused with a code.
func (f *follower) wantRefused(code string, v any) {
	f.t.Helper()
	err := f.send(v)
	if refused, ok := errors.AsType[*live.SendError](err); !ok || refused.Code != code {
		f.t.Errorf("sending %+v: got %v, want it refused with %q", v, err, code)
	}
}

// next returns the next message that was sent to the socket or a channel.
func (f *follower) next() live.Message {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), within)
	defer cancel()
	for {
		m, err := f.conn.Receive(ctx)
		if err != nil {
			f.t.Fatal("receiving:", err)
		}
		if m.Member == nil {
			return m
		}
	}
}

func (f *follower) nextNews() (n news) {
	f.t.Helper()
	if err := json.Unmarshal(f.next().Data, &n); err != nil {
		f.t.Fatal(err)
	}
	return n
}

// nextPost returns the text of the next post.
func (f *follower) nextPost() string {
	f.t.Helper()
	for {
		if n := f.nextNews(); n.Post != nil {
			return n.Post.Text
		}
	}
}

// wantPeople waits until the page is told that so many people are there.
func (f *follower) wantPeople(want int) {
	f.t.Helper()
	for f.nextNews().People != want {
	}
}

// ended waits for the end of the socket and returns its close code.
func (f *follower) ended() live.StatusCode {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), within)
	defer cancel()
	for {
		_, err := f.conn.Receive(ctx)
		if closed, ok := errors.AsType[*live.CloseError](err); ok {
			return closed.Code
		}
		if err != nil {
			f.t.Fatal(err)
		}
	}
}

// eventually waits until something is true.
func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for began := time.Now(); time.Since(began) < within; time.Sleep(10 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("not true after %v", within)
}

// onEverySite runs a test on a site of one server, and on one of two servers with one database. The test gets the
// address of each server.
func onEverySite(t *testing.T, test func(t *testing.T, one, other string)) {
	t.Run("one server", func(t *testing.T) {
		address := startForum(t)
		test(t, address, address)
	})
	t.Run("two servers", func(t *testing.T) {
		url := newDatabase(t)
		test(t, startServer(t, url), startServer(t, url))
	})
}

func TestPagesFollowTheirForum(t *testing.T) { onEverySite(t, testFollowing) }

func testFollowing(t *testing.T, one, other string) {
	b, reader := openBrowser(t, one), openBrowser(t, other)
	b.logIn("Ann")
	reader.get("/forums/go")
	b.post("/forums/go/posts", "text", "before")
	page := reader.follow(liveForumPath)
	page.mustSend(watch{Forum: "go", After: 2})
	if first, second := page.nextPost(), page.nextPost(); !strings.HasPrefix(first, "Store what") || second != "before" {
		t.Errorf("the page lacks two posts and gets %q and %q, want the older first", first, second)
	}
	b.post("/forums/kitchen/posts", "text", "of another forum")
	b.post("/forums/go/posts", "text", "<b>news</b>")
	b.post("/forums/go/posts", "text", "more")
	if first, second := page.nextPost(), page.nextPost(); first != "<b>news</b>" || second != "more" {
		t.Errorf("got the posts %q and %q, want <b>news</b> and more", first, second)
	}
	page.wantRefused("forum", watch{Forum: "nowhere"})
	page.wantRefused("type", []int{1})
}

func TestPageThatIsTooOldIsLoadedAgain(t *testing.T) {
	posts := newMemoryRepo()
	for i := range postsPerPage {
		p := Post{Author: "Ann", Text: fmt.Sprint(i), Time: time.Now()}
		if _, err := posts.AddPost(t.Context(), "books", p); err != nil {
			t.Fatal(err)
		}
	}
	on := inMemory()
	on.posts = posts
	b := openBrowser(t, serveForum(t, on, settings{idle: time.Minute}))
	newest := int64(len(firstPosts) + postsPerPage)
	b.get("/forums/books")
	page := b.follow(liveForumPath)
	page.mustSend(watch{Forum: "books", After: newest - postsPerPage + 1})
	if got := page.nextPost(); got != "1" {
		t.Errorf("got the post %q first, want 1", got)
	}
	other := b.follow(liveForumPath)
	other.mustSend(watch{Forum: "books", After: newest - postsPerPage})
	for {
		n := other.nextNews()
		if n.Post != nil {
			t.Fatal("got a post, though some may be missing before it")
		}
		if n.Again {
			return
		}
	}
}

// People are counted once, however many pages they have open.
func TestPagesKnowHowManyPeopleAreThere(t *testing.T) { onEverySite(t, testPeople) }

func testPeople(t *testing.T, one, other string) {
	ann := openBrowser(t, one)
	ann.logIn("Ann")
	page := ann.follow(liveForumPath)
	page.mustSend(watch{Forum: "go"})
	page.wantPeople(1)

	guest := openBrowser(t, other)
	guest.get("/forums/go")
	first, second := guest.follow(liveForumPath), guest.follow(liveForumPath)
	first.mustSend(watch{Forum: "go"})
	page.wantPeople(2)
	second.mustSend(watch{Forum: "go"})
	second.wantPeople(2)
	phone := openBrowser(t, other)
	phone.logIn("Ann")
	phonePage := phone.follow(liveForumPath)
	phonePage.mustSend(watch{Forum: "go"})
	phonePage.wantPeople(2)
	elsewhere := guest.follow(liveForumPath)
	elsewhere.mustSend(watch{Forum: "books"})
	elsewhere.wantPeople(1)

	phonePage.conn.Close()
	first.conn.Close()
	second.conn.Close()
	page.wantPeople(1)
}

func TestSocketsNeedASession(t *testing.T) {
	b := openBrowser(t, startForum(t))
	for _, path := range []string{liveForumPath, liveRoomPath, liveInsidePath} {
		_, err := live.Dial(t.Context(), b.address+path, &live.DialOptions{HTTPClient: b.client})
		if closed, ok := errors.AsType[*live.CloseError](err); !ok || closed.Code != live.StatusSessionEnded {
			t.Errorf("%s: got %v, want the code %d", path, err, live.StatusSessionEnded)
		}
	}
	b.get(liveForumPath).wants(t, http.StatusUpgradeRequired)
}

// A login gives the session another cookie: the socket comes back with it. A logout ends it.
func TestSocketsOutliveALoginAndEndWithTheSession(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.get("/forums/go")
	page := b.follow(liveForumPath)
	page.mustSend(watch{Forum: "go", After: 3})
	id := page.conn.ID()
	b.logIn("Ann")
	b.post("/forums/go/posts", "text", "after the login")
	if got := page.nextPost(); got != "after the login" || page.conn.ID() != id {
		t.Errorf("got the post %q on the socket %v, want it on %v still", got, page.conn.ID(), id)
	}
	eventually(t, func() bool { return strings.Contains(b.get("/inside").body, "resumes</code></th><td><code>1<") })
	b.get("/inside").wants(t, http.StatusOK, id.String(), "in <code>forum/go</code>")
	b.post("/logout")
	if code := page.ended(); code != live.StatusSessionEnded {
		t.Errorf("after the logout: got the code %d, want %d", code, live.StatusSessionEnded)
	}
}

func TestPagesAskForTheirScript(t *testing.T) {
	b := openBrowser(t, startForum(t))
	const script = `<script type="module" src="/static/forum.js?v=`
	b.get("/forums/go").wants(t, http.StatusOK, script, `data-post="3"`)
	b.get("/forums/go?before=3").wantsNot(t, "<script")
	b.get("/").wantsNot(t, "<script")
	for _, name := range []string{"forum.js", "room.js", "inside.js", "connection.js", "live.js"} {
		a := b.get("/static/" + name)
		a.wants(t, http.StatusOK)
		if kind := a.header.Get("Content-Type"); kind != "text/javascript; charset=utf-8" {
			t.Errorf("%s is %q, want a script", name, kind)
		}
	}
	for _, source := range []string{"script-src 'self';", "connect-src 'self';"} {
		if !strings.Contains(policy, source) {
			t.Errorf("the policy lacks %q", source)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Error("the policy allows what is unsafe")
	}
}

func TestInsideTellsNumbers(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.get("/forums/go")
	page := b.follow(liveInsidePath)
	for want := range uint64(3) {
		page.mustSend(struct{}{})
		m := page.next()
		var got liveNumbers
		if err := json.Unmarshal(m.Data, &got); err != nil {
			t.Fatal(err)
		}
		if got != (liveNumbers{In: want, Out: want}) || m.Number != want+1 {
			t.Errorf("message %d: got %+v, want %d in and out before it", m.Number, got, want)
		}
	}
}

// The server's time limits are those of requests: a socket is open for as long as it likes.
func TestSocketsOutliveTheTimeLimitsOfRequests(t *testing.T) {
	const limit = time.Second
	srv := serveForumBy(t, func(srv *httptest.Server) {
		srv.Config.ReadTimeout, srv.Config.WriteTimeout, srv.Config.IdleTimeout = limit, limit, limit
		srv.Start()
	}, inMemory(), settings{idle: time.Minute, rate: 2})
	b := openBrowser(t, srv.URL)
	b.get("/forums/go")
	page := b.follow(liveInsidePath)
	for began := time.Now(); time.Since(began) < 3*limit; time.Sleep(limit / 50) {
		page.mustSend(struct{}{})
		page.next()
	}
	b.get("/inside").wantsNot(t, "<code>resumes")
}

// A socket's connection is one of the server's until it is closed.
func TestSocketsAreCountedAsConnections(t *testing.T) {
	srv := serveForumBy(t, (*httptest.Server).Start, inMemory(), settings{idle: time.Minute})
	b := openBrowser(t, srv.URL)
	b.client.Transport = &http.Transport{}
	defer b.client.CloseIdleConnections()
	b.get("/forums/go")
	page := b.follow(liveForumPath)
	b.get("/connection").wants(t, http.StatusOK, "Open now</dt><dd>2<")
	page.conn.Close()
	eventually(t, func() bool { return strings.Contains(b.get("/connection").body, "Open now</dt><dd>1<") })
}

func TestRooms(t *testing.T) { onEverySite(t, testRooms) }

func testRooms(t *testing.T, one, other string) {
	ann := openBrowser(t, one)
	ann.logIn("Ann")
	path := ann.post("/rooms").path
	ann.get(path).wants(t, http.StatusOK, "A private room", `src="/static/room.js`)
	id := strings.TrimPrefix(path, "/rooms/")
	ann.get("/rooms/elsewhere").wants(t, http.StatusNotFound)
	ann.get("/rooms").wants(t, http.StatusOK, "Start a private room")
	guests := make([]*follower, 2)
	for i := range guests {
		guest := openBrowser(t, other)
		guest.get(path)
		guests[i] = guest.follow(liveRoomPath)
	}
	left, right, third := ann.follow(liveRoomPath), guests[0], guests[1]
	left.wantRefused("room", roomCall{Room: "elsewhere"})
	hello := "hello"
	left.wantRefused("out", roomCall{Room: id, Say: &hello})

	entered := make(chan error, 1)
	go func() { entered <- left.send(roomCall{Room: id}) }()
	left.wantSeat("left")
	select {
	case err := <-entered:
		t.Fatalf("the first is in before the second comes: %v", err)
	default:
	}
	right.mustSend(roomCall{Room: id, Seat: "right"})
	if err := <-entered; err != nil {
		t.Fatal("waiting for the other:", err)
	}
	third.wantRefused("taken", roomCall{Room: id})
	third.wantRefused("out", roomCall{Room: id, Say: &hello})
	left.mustSend(roomCall{Room: id}) // once more is no harm

	empty := " "
	left.wantRefused("text", roomCall{Room: id, Say: &empty})
	left.mustSend(roomCall{Room: id, Say: &hello})
	right.mustSend(roomCall{Room: id, Say: &hello})
	var sides [2][]said
	for i, side := range []*follower{left, right} {
		for len(sides[i]) < 2 {
			if s := side.nextSaid(); s.Text != "" {
				sides[i] = append(sides[i], s)
			}
		}
	}
	identity := sides[0][0].Identity
	want := []said{{identity, 0, "left", "Ann", hello}, {identity, 1, "right", "A guest", hello}}
	if identity < 1000 || !slices.Equal(sides[0], want) || !slices.Equal(sides[1], want) {
		t.Errorf("the sides see %v and %v, want both to see %v", sides[0], sides[1], want)
	}

	right.conn.Close()
	left.wantLeft("right")
	left.wantRefused("alone", roomCall{Room: id, Say: &hello})
	third.mustSend(roomCall{Room: id})
	if got := third.nextSaid(); got != (said{Identity: identity}) {
		t.Errorf("on the free seat: got %+v, want the identity %d", got, identity)
	}
}

func (f *follower) nextSaid() (s said) {
	f.t.Helper()
	if err := json.Unmarshal(f.next().Data, &s); err != nil {
		f.t.Fatal(err)
	}
	return s
}

func (f *follower) wantSeat(seat string) { f.wantMember(live.Joined, seat) }
func (f *follower) wantLeft(seat string) { f.wantMember(live.Left, seat) }

// wantMember waits until something happened to a seat.
func (f *follower) wantMember(e live.MemberEvent, seat string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), within)
	defer cancel()
	for {
		m, err := f.conn.Receive(ctx)
		if err != nil {
			f.t.Fatal(err)
		}
		if m.Member != nil && m.Member.Event == e && m.Member.Seat == seat {
			return
		}
	}
}

// A session that ends while its socket waits in a room takes the socket with it.
func TestWaitingInARoomEndsWithTheSession(t *testing.T) {
	b := openBrowser(t, startForum(t))
	b.logIn("Ann")
	page := b.follow(liveRoomPath)
	entered := make(chan error, 1)
	go func() { entered <- page.send(roomCall{Room: strings.Repeat("a", 26)}) }()
	page.wantSeat("left")
	b.post("/logout")
	if code := page.ended(); code != live.StatusSessionEnded {
		t.Errorf("got the code %d, want %d", code, live.StatusSessionEnded)
	}
	if err := <-entered; err == nil {
		t.Error("it is in the room, though nobody else has come")
	}
}
