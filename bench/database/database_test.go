package database

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/lazysession/session/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m).Run()) }

func TestFiguresOfAllContenders(t *testing.T) {
	p := plan{sessions: 50, many: 200, rounds: 2, goroutines: []int{1, 4}, each: 3}
	samples, err := p.run(t.Context(), t.Logf)
	if errors.Is(err, ErrNoServer) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	contenders := 0
	for _, s := range samples {
		if len(s.Rounds) != p.rounds || s.Unit == "µs" && slices.Min(s.Rounds) <= 0 {
			t.Errorf("%s of %s: got %v %s, want %d figures above 0", s.Work, s.Contender, s.Rounds, s.Unit, p.rounds)
		}
		if s.Work == "load" && s.Parameter == 1 {
			contenders++
		}
	}
	// Each work, and the loads among many, by some goroutines, and the hot session with what it lost.
	if want := contenders * ((len(works)+1)*len(p.goroutines) + 2); contenders != 3 || len(samples) != want {
		t.Errorf("got %d samples of %d contenders, want %d of 3", len(samples), contenders, want)
	}
}
