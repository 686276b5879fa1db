package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "forum:", err)
		os.Exit(1)
	}
}

// run serves the forum until ctx is done.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	cfg, err := parseSettings(args, getenv)
	if err != nil {
		return err
	}
	storage, err := openStorage(ctx, cfg.store)
	if err != nil {
		return err
	}
	defer storage.close()
	forum, err := newApp(storage, cfg)
	if err != nil {
		return err
	}
	defer forum.Close()

	listener, err := net.Listen("tcp", cfg.listen)
	if err != nil {
		return err
	}
	cfg.warn()
	fmt.Fprintf(stdout, "forum: %s\n", cfg.url(listener.Addr()))
	context.AfterFunc(ctx, forum.health.drain)
	srv := newServer(forum)
	withSlots := forum.connections.configure(srv)
	return serve(ctx, srv, withSlots(listener), cfg, forum.live.drain)
}

func newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
}

// shutdownTimeout is how long requests under way may take after the signal to stop.
const shutdownTimeout = 10 * time.Second

// serve accepts connections until ctx is done and drained, and then lets live sockets leave and the requests under way
// finish.
func serve(ctx context.Context, srv *http.Server, l net.Listener, cfg settings, leave func(context.Context)) error {
	failed := make(chan error, 1)
	go func() {
		if cfg.tls() {
			failed <- srv.ServeTLS(l, cfg.tlsCert, cfg.tlsKey)
			return
		}
		failed <- srv.Serve(l)
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	slog.Info("forum: stopping")
	time.Sleep(cfg.drain)
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	leave(limited) // Shutdown knows nothing of connections that were hijacked, as live sockets are
	if err := srv.Shutdown(limited); err != nil {
		return errors.Join(fmt.Errorf("requests were still running after %v: %w", shutdownTimeout, err), srv.Close())
	}
	return nil
}
