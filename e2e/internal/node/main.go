// Node is one of several servers on a database, for fault tests. Each operation is one request, and its response is
// JSON. Node prints its address.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/postgres"
)

var (
	listen  = flag.String("listen", "127.0.0.1:0", "`address`")
	store   = flag.String("store", "", "connection string of the database")
	keyList = flag.String("keys", "", "keys in hex, separated by commas, newest first")
	idle    = flag.Duration("idle", 30*time.Minute, "idle timeout")
	drain   = flag.Duration("drain", 0, "how long /healthz says no before a stop")
	// It is shorter than the library's default, so that tests of what hangs are.
	storeTimeout = flag.Duration("store-timeout", time.Second, "of one call of the store")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	cfg, err := pgxpool.ParseConfig(*store)
	if err != nil {
		return err
	}
	postgres.FailFast(cfg)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := postgres.Migrate(ctx, pool, nil); err != nil {
		return err
	}
	sessions, err := postgres.Open(ctx, pool, nil)
	if err != nil {
		return err
	}
	defer sessions.Close()
	keys, err := parseKeys(*keyList)
	if err != nil {
		return err
	}
	m, err := session.New(sessions, &session.Config{
		Keys:         keys,
		Cookie:       session.Cookie{Secure: session.InsecureForDevelopment},
		IdleTimeout:  *idle,
		StoreTimeout: *storeTimeout,
	})
	if err != nil {
		return err
	}
	defer m.Close()
	n := &node{manager: m, pool: pool, ping: sessions.Ping}
	return n.serve(ctx)
}

func parseKeys(list string) (keys [][]byte, err error) {
	for text := range strings.SplitSeq(list, ",") {
		key, err := hex.DecodeString(text)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// A node answers requests.
type node struct {
	manager  *session.Manager
	pool     *pgxpool.Pool
	ping     func(context.Context) error
	draining atomic.Bool
}

func (n *node) serve(ctx context.Context) error {
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	srv := &http.Server{Handler: n.routes(), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	n.draining.Store(true)
	time.Sleep(*drain)
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return srv.Shutdown(limited)
}

func (n *node) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /do", do)
	mux.HandleFunc("POST /append", appendOne)
	mux.HandleFunc("POST /panic", doAndPanic)
	mux.HandleFunc("POST /wait", doAndWait)
	mux.HandleFunc("POST /login", logIn)
	mux.HandleFunc("POST /logout", logOut)
	mux.HandleFunc("POST /idle", setIdle)
	mux.HandleFunc("GET /session", show)
	mux.HandleFunc("GET /plain", func(w http.ResponseWriter, _ *http.Request) { answer(w, "ok") })
	mux.HandleFunc("GET /stats", n.stats)
	mux.HandleFunc("GET /healthz", n.health)
	return n.manager.Handler(mux)
}

var (
	counter = session.NewCounter("n")
	done    = session.NewKey[int]("done")
	list    = session.NewKey[[]int]("list")
)

// record counts an operation and sets a value of its own, which have to be committed together or not at all.
func record(r *http.Request) error {
	op, err := strconv.Atoi(r.FormValue("op"))
	if err != nil {
		return err
	}
	if _, err := counter.Add(r.Context(), 1); err != nil {
		return err
	}
	return done.Sub(strconv.Itoa(op)).Set(r.Context(), op)
}

func do(w http.ResponseWriter, r *http.Request) {
	if err := record(r); err != nil {
		fail(w, err)
		return
	}
	answer(w, "done")
}

func appendOne(w http.ResponseWriter, r *http.Request) {
	op, err := strconv.Atoi(r.FormValue("op"))
	if err == nil {
		_, err = list.Update(r.Context(), func(ops []int) ([]int, error) { return append(ops, op), nil })
	}
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, "appended")
}

// doAndPanic commits nothing.
func doAndPanic(_ http.ResponseWriter, r *http.Request) {
	if err := record(r); err != nil {
		log.Print(err)
	}
	panic(http.ErrAbortHandler)
}

// doAndWait commits when its client has gone.
func doAndWait(w http.ResponseWriter, r *http.Request) {
	if err := record(r); err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusEarlyHints) // commits nothing, and tells the client to go
	select {
	case <-r.Context().Done():
	case <-time.After(10 * time.Second):
	}
	answer(w, "too late for anybody")
}

func logIn(w http.ResponseWriter, r *http.Request) {
	s := session.FromContext(r.Context())
	err := s.Renew()
	if err == nil {
		err = s.SetOwner(r.FormValue("owner"))
	}
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, "in")
}

func logOut(w http.ResponseWriter, r *http.Request) {
	if err := session.FromContext(r.Context()).End(); err != nil {
		fail(w, err)
		return
	}
	answer(w, "out")
}

func setIdle(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.FormValue("d"))
	if err == nil {
		err = session.FromContext(r.Context()).SetIdleTimeout(d)
	}
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, "set")
}

// show tells all that is in the session.
func show(w http.ResponseWriter, r *http.Request) {
	s := session.FromContext(r.Context())
	exists, err := s.Exists()
	if err != nil {
		fail(w, err)
		return
	}
	values, err := s.Values()
	if err != nil {
		fail(w, err)
		return
	}
	owner, err := s.Owner()
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, map[string]any{"Exists": exists, "Owner": owner, "Values": values})
}

func (n *node) stats(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{
		"Goroutines": runtime.NumGoroutine(),
		"Acquired":   n.pool.Stat().AcquiredConns(),
		"Files":      openFiles(),
	})
}

// openFiles returns how many files and connections are open; 0 where the system doesn't say.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

func (n *node) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	if n.draining.Load() || n.ping(ctx) != nil {
		http.Error(w, "no", http.StatusServiceUnavailable)
		return
	}
	answer(w, "ok")
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that has gone is no error
}

// fail answers an error that the handler met; one of the commit is answered by the Manager.
func fail(w http.ResponseWriter, err error) {
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}
