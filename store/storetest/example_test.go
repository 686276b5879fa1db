package storetest_test

import (
	"testing"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/storetest"
)

// A store's own test, which go test finds as TestStore.
func ExampleRun() {
	TestStore := func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store {
			return newReference() // here opens your store
		})
	}
	_ = TestStore
}
