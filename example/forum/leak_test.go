package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/lazysession/session/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Main(m)) }
