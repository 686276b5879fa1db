package pglog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session/internal/pgtest"
	"github.com/lazysession/session/live"
	"github.com/lazysession/session/live/pglog"
	"github.com/lazysession/session/store/postgres"
)

// A page is a client that posts, and keeps all that it gets.
type page struct {
	client int
	http   *http.Client
	conn   *live.Conn
	got    []post
	last   uint64 // in the channel's stream
}

func openPage(ctx context.Context, b *balancer, client int) (*page, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	// Each connection is another one, so that no answer of a node that is dead is waited for.
	h := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := h.Get(b.url("/login"))
	if err != nil {
		return nil, err
	}
	r.Body.Close()
	conn, err := live.Dial(ctx, b.url("/live"), &live.DialOptions{HTTPClient: h})
	if err != nil {
		return nil, err
	}
	p := &page{client: client, http: h, conn: conn}
	return p, p.awaitJoin(ctx)
}

// awaitJoin receives until the page is in the channel: from then on it gets all that is posted.
func (p *page) awaitJoin(ctx context.Context) error {
	for {
		m, err := p.conn.Receive(ctx)
		if err != nil {
			return err
		}
		p.last = m.Number
		if m.Member != nil && m.Member.Event == live.Joined && m.Member.Socket == p.conn.ID() {
			return nil
		}
	}
}

// post posts so many times, each time once the post before was acknowledged and a moment later.
func (p *page) post(ctx context.Context, times int) error {
	for n := range times {
		text, err := json.Marshal(post{Client: p.client, Number: n + 1})
		if err != nil {
			return err
		}
		if err := p.conn.Send(ctx, text); err != nil {
			return fmt.Errorf("client %d, post %d: %w", p.client, n+1, err)
		}
		time.Sleep(50 * time.Millisecond) // so that posts are on their way at each kill
	}
	return nil
}

// receive receives until it has so many posts, and makes sure that no number of the stream is left out.
func (p *page) receive(ctx context.Context, posts int) error {
	for len(p.got) < posts {
		m, err := p.conn.Receive(ctx)
		if err != nil {
			return fmt.Errorf("client %d after %d posts, at number %d: %w", p.client, len(p.got), p.last, err)
		}
		if p.last != 0 && m.Number != p.last+1 {
			return fmt.Errorf("client %d: number %d comes after %d", p.client, m.Number, p.last)
		}
		p.last = m.Number
		if m.Member != nil {
			continue
		}
		var got post
		if err := json.Unmarshal(m.Data, &got); err != nil {
			return err
		}
		p.got = append(p.got, got)
	}
	return nil
}

// wantHistory makes sure that a page has seen each post of each client once, in the order of that client, and each
// count once, in order.
func (p *page) wantHistory(t *testing.T, clients int) {
	t.Helper()
	next := make([]int, clients)
	for i, got := range p.got {
		if next[got.Client]++; got.Number != next[got.Client] {
			t.Errorf("page %d sees post %d of client %d, want %d", p.client, got.Number, got.Client, next[got.Client])
			return
		}
		if got.Count != int64(i)+1 {
			t.Errorf("page %d sees count %d in place %d", p.client, got.Count, i+1)
			return
		}
	}
}

// wantMine makes sure that the page's session has counted its posts.
func (p *page) wantMine(t *testing.T, url string, posts int) {
	t.Helper()
	r, err := p.http.Get(url)
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Body.Close()
	if n, err := io.ReadAll(r.Body); err != nil || string(n) != strconv.Itoa(posts) {
		t.Errorf("the session of client %d has counted %q posts (%v), want %d", p.client, n, err, posts)
	}
}

// A farm is servers on one database, behind a balancer.
type farm struct {
	t        *testing.T
	database string
	pool     *pgxpool.Pool
	nodes    []*process
	*balancer
}

// startFarm starts a node for each plan.
func startFarm(t *testing.T, plans ...nodePlan) *farm {
	t.Helper()
	f := &farm{t: t, database: pgtest.Shared(t).Database(t)}
	pool := pgtest.Connect(t, f.database)
	for _, err := range []error{postgres.Migrate(t.Context(), pool, nil), pglog.Migrate(t.Context(), pool, nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pool.Exec(t.Context(), "CREATE TABLE posts (client bigint, number bigint)"); err != nil {
		t.Fatal(err)
	}
	f.pool = pool
	var addresses []string
	for _, plan := range plans {
		plan.Database = f.database
		f.nodes = append(f.nodes, startNode(t, plan))
		addresses = append(addresses, f.nodes[len(f.nodes)-1].address)
	}
	f.balancer = startBalancer(t, addresses...)
	return f
}

// replace starts a node in the place of one that is dead, or is killed now.
func (f *farm) replace(i int) {
	f.nodes[i].kill()
	f.nodes[i] = startNode(f.t, nodePlan{Database: f.database})
	f.set(i, f.nodes[i].address)
}

// run has clients post and receive, and meanwhile calls disturb. Then it looks at what each of them has seen.
func (f *farm) run(clients, posts int, disturb func()) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 3*time.Minute)
	defer cancel()
	pages := make([]*page, clients)
	for i := range pages {
		var err error
		if pages[i], err = openPage(ctx, f.balancer, i); err != nil {
			f.t.Fatal(err)
		}
		defer pages[i].conn.Close()
	}
	var working sync.WaitGroup
	for _, p := range pages {
		working.Go(func() {
			if err := p.post(ctx, posts); err != nil {
				f.t.Error(err)
			}
		})
		working.Go(func() {
			if err := p.receive(ctx, clients*posts); err != nil {
				f.t.Error(err)
			}
		})
	}
	disturb()
	working.Wait()
	for _, p := range pages {
		p.wantHistory(f.t, clients)
	}
	for _, p := range pages {
		p.wantMine(f.t, f.url("/mine"), posts)
	}
	var rows, distinct int
	const sql = "SELECT count(*), count(DISTINCT (client, number)) FROM posts"
	if err := f.pool.QueryRow(ctx, sql).Scan(&rows, &distinct); err != nil || rows != clients*posts || distinct != rows {
		f.t.Errorf("the table has %d posts, %d of them different (%v), want each of %d once", rows, distinct, err,
			clients*posts)
	}
}

// Servers are killed again and again, and every page goes on on another one: what it has posted is there once, and what
// others have posted it gets once and in order.
func TestKilledServers(t *testing.T) {
	f := startFarm(t, nodePlan{}, nodePlan{}, nodePlan{})
	f.run(6, 60, func() {
		for k := range 5 {
			time.Sleep(700 * time.Millisecond)
			f.replace(k % 3)
		}
	})
}

// A server that dies at any step of handling a message leaves it undone, or done once.
func TestServersThatDieAtEachStep(t *testing.T) {
	for _, dies := range []step{beforeCommit, afterCommit} {
		t.Run(string(dies), func(t *testing.T) {
			f := startFarm(t, nodePlan{Dies: dies, After: 5}, nodePlan{Dies: dies, After: 9}, nodePlan{})
			f.run(4, 20, func() {
				for i := range 2 {
					f.nodes[i].cmd.Wait()
					f.replace(i)
				}
			})
		})
	}
}
