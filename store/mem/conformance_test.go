package mem_test

import (
	"testing"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/mem"
	"github.com/lazysession/session/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return mem.New(nil) })
}
