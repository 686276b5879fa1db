package stores

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/lazysession/session/internal/pgtest"
)

// ErrNoServer is returned where PostgreSQL is missing, or is not ours to start.
var ErrNoServer = errors.New("no PostgreSQL server of its own")

// settings make the server wait for the disk, as one in use does; those of the tests' own servers don't.
var settings = []string{
	"fsync = on", "synchronous_commit = on", "full_page_writes = on", "shared_buffers = 1GB", "max_wal_size = 4GB",
}

// withCluster runs work with the connection string of a database on a server that is gone afterwards.
func withCluster(work func(url string) error) error {
	t := &bench{}
	done := make(chan struct{})
	go func() { // which a failing pgtest ends
		defer close(done)
		defer t.cleanUp()
		url := pgtest.New(t, settings...).Database(t)
		if err := work(url); err != nil {
			t.errs = append(t.errs, err)
		}
	}()
	<-done
	return errors.Join(t.errs...)
}

// A bench is the testing.TB that pgtest asks for, with only those methods that pgtest uses.
type bench struct {
	testing.TB
	errs     []error
	cleanups []func()
}

func (b *bench) Helper() {}

func (b *bench) Failed() bool { return len(b.errs) > 0 }

func (b *bench) Cleanup(f func()) { b.cleanups = append(b.cleanups, f) }

func (b *bench) cleanUp() {
	for i := len(b.cleanups) - 1; i >= 0; i-- {
		b.cleanups[i]()
	}
}

func (b *bench) Logf(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}

func (b *bench) Error(args ...any) { b.errs = append(b.errs, errors.New(fmt.Sprint(args...))) }

func (b *bench) Errorf(format string, args ...any) { b.Error(fmt.Sprintf(format, args...)) }

func (b *bench) Fatal(args ...any) {
	b.Error(args...)
	runtime.Goexit()
}

func (b *bench) Fatalf(format string, args ...any) { b.Fatal(fmt.Sprintf(format, args...)) }

// Skipf is called where there is no server to start.
func (b *bench) Skipf(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf("%w: %s", ErrNoServer, fmt.Sprintf(format, args...)))
	runtime.Goexit()
}
