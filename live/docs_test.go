package live_test

import (
	"os"
	"strings"
	"testing"
)

// The Go lines of the guide are those of an example, which runs.
func TestGuideShowsTheExample(t *testing.T) {
	_, section, ok := strings.Cut(content(t, "../docs/live.md"), "live.New(m, ")
	if !ok {
		t.Fatal("no line of the guide makes a hub")
	}
	_, section, _ = strings.Cut(section, "\n") // that line has the reader's own names
	lines, _, _ := strings.Cut(section, "\n```")
	if !strings.Contains(withoutIndent(content(t, "example_test.go")), withoutIndent(lines)) {
		t.Errorf("the example in example_test.go has other lines than the guide:\n%s", lines)
	}
}

// withoutIndent returns a text without the spaces and tabs that begin its lines.
func withoutIndent(text string) string {
	var all strings.Builder
	for line := range strings.Lines(text) {
		all.WriteString(strings.TrimLeft(line, " \t"))
	}
	return all.String()
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
