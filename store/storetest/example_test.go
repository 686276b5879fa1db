package storetest_test

import (
	"testing"

	"github.com/lazysession/session/store"
	"github.com/lazysession/session/store/storetest"
)

// In a store's own package this is the body of TestStore.
func ExampleRun() {
	TestStore := func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store {
			return newReference() // here opens your store
		})
	}
	_ = TestStore
}
