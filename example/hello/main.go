// Hello counts each visitor's visits. It is the smallest program that uses sessions.
//
//	go run ./example/hello
//
// Open the address that it prints, and reload the page. A private window is another visitor, whose visits begin at 1.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

var visits = session.NewCounter("visits")

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "`address` to listen on")
	flag.Parse()

	m, err := session.New(mem.New(nil), &session.Config{
		Cookie: session.Cookie{Secure: session.InsecureForDevelopment}, // plain http; leave it out behind TLS
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", count) // this page alone: browsers also ask for /favicon.ico, which is not a visit
	fmt.Printf("Open http://%s/ in a browser. Ctrl-C ends this program.\n", *listen)
	log.Fatal(http.ListenAndServe(*listen, m.Handler(mux)))
}

func count(w http.ResponseWriter, r *http.Request) {
	n, err := visits.Next(r.Context())
	if err != nil {
		session.Error(w, r, err)
		return
	}
	fmt.Fprintf(w, "Visit %d\n", n)
}
