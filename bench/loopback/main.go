package loopback

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/lazysession/session/bench/child"
)

// Main serves, and does not return, in a process that Run has started. In any other it does nothing.
func Main() { child.Main(serve) }

func serve(name string) error {
	at := slices.IndexFunc(contenders, func(c contender) bool { return c.name == name })
	if at < 0 {
		return fmt.Errorf("no such contender: %q", name)
	}
	site, err := contenders[at].site()
	if err != nil {
		return err
	}
	if err := child.Listen(site); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
