package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTwoTabsCountEveryVisit reloads a forum in two tabs at the same time: they share a session, and each number of a visit is
// shown once.
func TestTwoTabsCountEveryVisit(t *testing.T) {
	const reloads = 40
	forum := startForum(t)
	ada := newPerson(t, startChromium(t), forum.url)
	ada.open(lobby)
	ada.want("You have visited this forum 1 times in the current session.")
	tabs := []*tab{ada, ada.anotherTab()}
	tabs[1].open(lobby)

	numbers := []int{1, 2}
	var mu sync.Mutex
	var reloading sync.WaitGroup
	for _, p := range tabs {
		reloading.Go(func() {
			for range reloads {
				n, err := reloadAndRead(p.ctx)
				if err != nil {
					t.Errorf("reloading: %v", err)
					return
				}
				mu.Lock()
				numbers = append(numbers, n)
				mu.Unlock()
			}
		})
	}
	reloading.Wait()
	wantEveryNumber(t, "visits in two tabs", numbers)
}

// reloadAndRead returns the number of the visit that the page shows.
func reloadAndRead(ctx context.Context) (int, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := chromedp.Do(limited, chromedp.Reload()); err != nil {
		return 0, err
	}
	text, err := readText(limited)
	if err != nil {
		return 0, err
	}
	n := visitsIn(text)
	if n < 0 {
		return 0, fmt.Errorf("no number of visits on the page:\n%s", text)
	}
	return n, nil
}
