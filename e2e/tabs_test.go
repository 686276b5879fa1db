package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTabsCountEveryVisit reloads a forum in several tabs at the same time: they share a session, and each number of a
// visit is shown once. Were a count read and then written, some would be lost.
func TestTabsCountEveryVisit(t *testing.T) {
	const tabs, rounds = 4, 40
	forum := startForum(t)
	ada := newPerson(t, startChromium(t), forum.url)
	ada.open(lobby)
	ada.want("You have visited this forum 1 time in the current session.")

	var reloading []*tab
	for i := range tabs {
		p := ada.anotherTab()
		// The addresses differ, since the browser's cache lets one request for an address wait for another.
		p.open(fmt.Sprintf("%s?tab=%d", lobby, i))
		reloading = append(reloading, p)
	}
	var shown numbers
	for range rounds {
		var round sync.WaitGroup // all at once, again and again: left alone, tabs get out of step
		for _, p := range reloading {
			round.Go(func() { shown.add(t, p.ctx) })
		}
		round.Wait()
	}
	wantEveryNumber(t, "visits", tabs+1, shown.list)
}

// numbers are those of visits, as they were shown.
type numbers struct {
	mu   sync.Mutex
	list []int
}

// add reloads a tab's page and notes the number on it.
func (n *numbers) add(t *testing.T, tab context.Context) {
	number, err := reloadAndRead(tab)
	if err != nil {
		t.Errorf("reloading: %v", err)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, number)
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
