package stores

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/lazysession/session/bench/measure"
	"github.com/lazysession/session/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m).Run()) }

func TestFiguresOfADatabase(t *testing.T) {
	tiny := measure.Effort{Sessions: 200, Turns: 2, Each: 3}
	run := &measure.Run{Effort: tiny, Log: t.Logf}
	err := Database(t.Context(), run)
	if errors.Is(err, ErrNoServer) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	contenders := 0
	for _, s := range run.Samples {
		if len(s.Rounds) != tiny.Turns || s.Unit == "µs" && slices.Min(s.Rounds) <= 0 {
			t.Errorf("%s of %s: got %v %s, want %d figures above 0", s.Work, s.Contender, s.Rounds, s.Unit, tiny.Turns)
		}
		if s.Work == "load" && s.Parameter == 1 {
			contenders++
		}
	}
	// Each work, and the loads among many, by some goroutines, and the hot session with what it lost.
	if want := contenders * ((len(works)+1)*len(goroutines) + 2); contenders != 3 || len(run.Samples) != want {
		t.Errorf("got %d samples of %d contenders, want %d of 3", len(run.Samples), contenders, want)
	}
}
