package work

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lazysession/session/bench/measure"
)

// tiny is enough to see that everything runs.
var tiny = measure.Effort{Rounds: 2, Round: 100 * time.Microsecond, Turns: 1, Sessions: 1000, Hits: 80}

func TestContendersDoEachWorkRight(t *testing.T) {
	for _, c := range withFloors {
		for _, w := range requests {
			t.Run(c.name+"/"+w.name, func(t *testing.T) {
				if why := c.whyNot(w); why != "" {
					t.Skip(why)
				}
				r, err := newRig(c, w, 1)
				if err != nil {
					t.Fatal(err)
				}
				defer r.close()
				if err := r.send(10); err != nil {
					t.Fatal(err)
				}
				if err := r.check(); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// What a contender is said not to be able to do has to fail, or the report wrongs it.
func TestContendersAreNotWronged(t *testing.T) {
	for _, c := range []*contender{cookies, ginMemory} {
		for _, w := range append(requests, work{name: "100 values", task: readOne, values: 100}) {
			if c.whyNot(w) == "" {
				continue
			}
			t.Run(c.name+"/"+w.name, func(t *testing.T) {
				if r, err := newRig(c, w, 1); err == nil {
					r.close()
					t.Errorf("it can, but is said to have a reason not to: %s", c.whyNot(w))
				}
			})
		}
	}
}

func TestPartsMeasureWhatTheySay(t *testing.T) {
	for _, test := range []struct {
		name    string
		measure func(context.Context, *measure.Run) error
		want    int // figures of this library
	}{
		{"request", Request, 3 * len(requests)},
		{"parallel", Parallel, 3*2 + 1},
		{"exactness", Exactness, 1},
		{"growth", Growth, 3 * (4 + 7 + 1)},
	} {
		t.Run(test.name, func(t *testing.T) {
			run := &measure.Run{Effort: tiny, Log: t.Logf}
			if err := test.measure(t.Context(), run); err != nil {
				t.Fatal(err)
			}
			got := 0
			for _, s := range run.Samples {
				checkSample(t, test.name, s)
				if s.Contender == measure.Ours {
					got++
				}
			}
			if got != test.want {
				t.Errorf("got %d samples of %s, want %d", got, measure.Ours, test.want)
			}
		})
	}
}

func checkSample(t *testing.T, part string, s measure.Sample) {
	t.Helper()
	if s.Part != part {
		t.Errorf("a sample of part %q in %q", s.Part, part)
	}
	want := tiny.Rounds
	if s.Unit == "×" { // a quotient of two medians
		want = 1
	}
	if len(s.Rounds) != want && (len(s.Rounds) != 0 || s.Note == "") {
		t.Errorf("%s, %s: got %d rounds, want %d, or none and a reason", s.Work, s.Contender, len(s.Rounds), want)
	}
	if s.Contender == measure.Ours && s.Part == "exactness" && s.Rounds[0] != 100 {
		t.Errorf("counted %v%% of the hits, want all", s.Rounds[0])
	}
}

// A contender that does less once it is timed has to be found out after.
func TestLazyContenderIsFoundOut(t *testing.T) {
	w := work{name: "count one hit", task: countHit, values: 1}
	r, err := newRig(ours, w, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	idle := r.server.client(&plan{task: touchNothing})
	idle.setCookie(r.clients[0].cookie())
	r.clients[0] = idle
	if err := (match{Run: &measure.Run{Effort: tiny}}).play(t.Context(), []*rig{r}); err == nil {
		t.Error("hits that nobody counted were not missed")
	}
}

func TestMeasuringEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Request(ctx, &measure.Run{Effort: tiny, Log: t.Logf})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
