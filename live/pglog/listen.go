package pglog

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// listen connects for the hints of other servers, and starts follow, which runs until Close.
func (l *Log) listen(ctx context.Context) error {
	if l.NoListen {
		return nil
	}
	conn, err := l.connect(ctx)
	if err != nil {
		return fmt.Errorf("pglog: listening for hints: %w", err)
	}
	running, stop := context.WithCancel(context.Background())
	l.running.Go(func() {
		<-l.done
		stop()
	})
	l.running.Go(func() { l.follow(running, conn) })
	return nil
}

func (l *Log) connect(ctx context.Context) (*pgx.Conn, error) {
	config := l.pool.Config().ConnConfig.Copy()
	if l.Listen != "" {
		var err error
		if config, err = pgx.ParseConfig(l.Listen); err != nil {
			return nil, err
		}
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{l.topic()}.Sanitize()); err != nil {
		conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}

// follow tells hints, and connects again when the connection breaks. Then it polls at once, since hints were missed.
func (l *Log) follow(ctx context.Context, conn *pgx.Conn) {
	const first, longest = 20 * time.Millisecond, 500 * time.Millisecond
	pause := first
	for {
		for conn != nil {
			n, err := conn.WaitForNotification(ctx)
			if err == nil {
				err = l.heard(n.Payload)
				pause = first
				if err != nil {
					l.warn("a hint was not understood", err)
				}
				continue
			}
			closing, cancel := context.WithTimeout(context.Background(), time.Second)
			conn.Close(closing)
			cancel()
			if conn = nil; ctx.Err() == nil {
				l.warn("the connection for hints is lost", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longest)
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		conn, _ = l.connect(try)
		cancel()
		if conn != nil {
			l.upkeep("polling failed", l.poll)
		}
	}
}
