package e2e

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// chromiumNames are the names under which distributions package the browser.
var chromiumNames = []string{"chromium", "chromium-browser", "google-chrome"}

// quiet keeps the browser from connecting to other hosts, and lets it run in a container.
var quiet = []chromedp.ExecAllocatorOption{
	chromedp.NoSandbox, // it is root's in a container, and sees no page but ours
	chromedp.DisableGPU,
	chromedp.Flag("disable-component-update", true),
}

// startChromium starts a browser with an empty profile of its own, which ends with the test.
func startChromium(t *testing.T, options ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path := chromedp.ExecPath(findChromium(t))
	options = slices.Concat(chromedp.DefaultExecAllocatorOptions[:], quiet, options, []chromedp.ExecAllocatorOption{path})
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	browser, _ := chromedp.NewContext(allocator) // ended by quit
	// The first call must have no time limit: the browser would end with it.
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	t.Cleanup(func() { quit(t, browser) })
	return browser
}

func quit(t *testing.T, browser context.Context) {
	ctx, cancel := context.WithTimeout(browser, 10*time.Second)
	defer cancel()
	if err := chromedp.Cancel(ctx); err != nil {
		t.Logf("ending Chromium: %v", err)
	}
}

// findChromium skips the test where there is no browser, unless that is a mistake.
func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range chromiumNames {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("no Chromium, and CI=true")
	}
	t.Skip("no Chromium: install it to run the tests that need a browser (apt-get install chromium)")
	return ""
}
