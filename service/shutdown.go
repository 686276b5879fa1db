package service

import (
	"context"
	"errors"
	"fmt"
)

// close closes svc, the service of e.
func (e *entry) close(ctx context.Context, svc any) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("service: close %v: %w", e.key, err)
		}
	}()
	defer recoverAs(&err)
	return shutdown(ctx, svc)
}

// shutdown calls the method Shutdown of svc. It calls Close if there is no Shutdown, and also if Shutdown fails: that
// of http.Server leaves connections open that are still in use when ctx ends.
func shutdown(ctx context.Context, svc any) error {
	var err error
	switch s := svc.(type) {
	case interface{ Shutdown(context.Context) error }:
		err = s.Shutdown(ctx)
	case interface{ Shutdown() error }:
		err = s.Shutdown()
	case interface{ Shutdown() }:
		s.Shutdown()
	default:
		return closeNow(ctx, svc)
	}
	if err != nil {
		return errors.Join(err, closeNow(ctx, svc))
	}
	return nil
}

// closeNow calls the method Close of svc. A service without one needs no closing.
func closeNow(ctx context.Context, svc any) error {
	switch s := svc.(type) {
	case interface{ Close(context.Context) error }:
		return s.Close(ctx)
	case interface{ Close() error }:
		return s.Close()
	case interface{ Close() }:
		s.Close()
	}
	return nil
}
