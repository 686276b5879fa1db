package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
)

// A console keeps the complaints of a tab: errors and warnings of the page and of the browser, among them violations
// of the content security policy.
type console struct {
	mu         sync.Mutex
	complaints []string
	awaited    []string // parts of complaints that the test has asked for
}

// add takes an event. It is called while the browser's messages are read, so it must not wait.
func (c *console) add(event any) {
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			c.complain(fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		c.complain("exception: " + e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			c.complain(fmt.Sprintf("console.%s", e.Type))
		}
	}
}

func (c *console) complain(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.complaints = append(c.complaints, text)
}

// await says that a page with the status is coming: the browser complains of those that are errors.
func (c *console) await(status int64) {
	if status < 400 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaited = append(c.awaited, fmt.Sprintf("responded with a status of %d", status))
}

// expect says that complaints with a part are coming.
func (c *console) expect(part string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaited = append(c.awaited, part)
}

func (c *console) check(t *testing.T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, text := range c.complaints {
		awaited := slices.ContainsFunc(c.awaited, func(part string) bool { return strings.Contains(text, part) })
		if !awaited {
			t.Errorf("the browser complains: %s", text)
		}
	}
}
