package loopback

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
)

// variable of the environment names the contender that a process of its own is to serve.
const variable = "SESSION_BENCH_SERVER"

// Main serves, and does not return, in a process that Run has started. In any other it does nothing.
func Main() {
	name := os.Getenv(variable)
	if name == "" {
		return
	}
	if err := serve(name); err != nil {
		fmt.Fprintln(os.Stderr, "loopback:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve prints the address that it listens on. It ends when its standard input does, also when Run's process is killed.
func serve(name string) error {
	at := slices.IndexFunc(contenders, func(c contender) bool { return c.name == name })
	if at < 0 {
		return fmt.Errorf("%s=%q: no such contender", variable, name)
	}
	handler, err := contenders[at].site()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	fmt.Println(l.Addr())
	go http.Serve(l, handler)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
