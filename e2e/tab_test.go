package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a person waits for one page.
const patience = 20 * time.Second

// A tab is what a person sees of the forum and does with it. Its methods end the test when that can't be done, so they
// are for the test's own goroutine.
type tab struct {
	t       *testing.T
	ctx     context.Context // chromedp's, of this tab
	site    string          // the forum's address
	console *console
}

// newPerson opens a tab with cookies of its own, as in a private window.
func newPerson(t *testing.T, browser context.Context, site string) *tab {
	t.Helper()
	return openTab(t, browser, site, chromedp.WithNewBrowserContext())
}

// anotherTab opens one beside this, with the same cookies.
func (p *tab) anotherTab() *tab {
	p.t.Helper()
	return openTab(p.t, p.ctx, p.site)
}

func openTab(t *testing.T, parent context.Context, site string, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx, site: site, console: new(console)}
	if err := chromedp.Listen(ctx, p.console.add); err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	t.Cleanup(func() { p.console.check(t) })
	return p
}

// open goes to a page and wants it to be there.
func (p *tab) open(path string) {
	p.t.Helper()
	p.wantStatus("opening "+path, 200, chromedp.Navigate(p.site+path))
}

// click clicks on a link or a button and wants the next page.
func (p *tab) click(target string) {
	p.t.Helper()
	p.wantStatus("clicking on "+target, 200, chromedp.Click(target, chromedp.NodeVisible))
}

// wantStatus does what leads to another page, waits for that, and wants it to have the status.
func (p *tab) wantStatus(doing string, status int64, step chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	p.console.await(status)
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	resp, err := chromedp.RunResponse(ctx, step)
	if err != nil {
		p.t.Fatalf("%s: %v; the page:\n%s", doing, err, p.text())
	}
	if resp != nil && resp.Status != status {
		p.t.Fatalf("%s: got status %d, want %d; the page:\n%s", doing, resp.Status, status, p.text())
	}
}

// do does what leads to no other page.
func (p *tab) do(doing string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v; the page:\n%s", doing, err, p.text())
	}
}

func (p *tab) write(field, text string) {
	p.t.Helper()
	p.do("writing into "+field, chromedp.SendKeys(field, text, chromedp.NodeVisible))
}

func (p *tab) logIn(name string) {
	p.t.Helper()
	p.open("/login")
	p.write(field("Name"), name)
	p.click(button("Log in"))
	p.want("Welcome, " + name)
}

// text returns what can be read on the page.
func (p *tab) text() string {
	text, err := readText(p.ctx)
	if err != nil {
		return err.Error()
	}
	return text
}

func readText(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
}

func (p *tab) want(text string) {
	p.t.Helper()
	if got := p.text(); !strings.Contains(got, text) {
		p.t.Fatalf("the page doesn't say %q:\n%s", text, got)
	}
}

func (p *tab) wantNot(text string) {
	p.t.Helper()
	if got := p.text(); strings.Contains(got, text) {
		p.t.Fatalf("the page says %q:\n%s", text, got)
	}
}

// evaluate returns the value of a JavaScript expression in the page.
func evaluate[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%v", err)
	}
	return value
}

// waitUntil waits for a JavaScript expression to become true, through the change from one page to another.
func (p *tab) waitUntil(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		if is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)); err == nil && is {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.t.Fatalf("%s did not become true; the page:\n%s", expression, p.text())
}

// What a person looks for, as XPath: by the words on it, since a name in the page's source may change.

func link(name string) string { return fmt.Sprintf(`//a[normalize-space()=%q]`, name) }

// button compares the beginning of the text: some buttons have more words for screen readers.
func button(name string) string {
	return fmt.Sprintf(`//button[starts-with(normalize-space(), %q)]`, name)
}

func field(label string) string {
	return fmt.Sprintf(`//*[@id=//label[normalize-space()=%q]/@for]`, label)
}
