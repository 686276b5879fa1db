package conn_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/internal/expect"
)

// A way is the protocol by which clients reach a site.
type way struct {
	name  string
	tls   bool
	proto int // major version of HTTP
}

var ways = []way{{"plain", false, 1}, {"TLS", true, 1}, {"HTTP2", true, 2}, {"h2c", false, 2}}

func (w way) scheme() string {
	if w.tls {
		return "https://"
	}
	return "http://"
}

// eachWay runs a test on each way, with a site of its own.
func eachWay(t *testing.T, handler func(*witness) http.HandlerFunc, test func(*testing.T, *site)) {
	for _, kind := range ways {
		t.Run(kind.name, func(t *testing.T) {
			w := newWitness(t)
			test(t, startSite(t, w, kind, handler(w)))
		})
	}
}

// A site is a server and a client of it that can kill its connections.
type site struct {
	*witness
	kind   way
	url    string
	server *http.Server
	client *http.Client
	stop   func() // closes the server, and waits until it accepts no more

	mu     sync.Mutex
	dialed []*net.TCPConn
}

// startSite serves a handler. Before that, adjust may change the server.
func startSite(t testing.TB, w *witness, kind way, h http.Handler, adjust ...func(*http.Server)) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	expect.NoError(t, err)
	s := &site{witness: w, kind: kind, url: kind.scheme() + l.Addr().String()}
	cert, pool := certificate()
	var protocols http.Protocols
	protocols.SetHTTP1(kind.proto == 1)
	protocols.SetHTTP2(kind.proto == 2 && kind.tls)
	protocols.SetUnencryptedHTTP2(kind.proto == 2 && !kind.tls)
	s.server = &http.Server{
		Handler:   h,
		Protocols: &protocols,
		ErrorLog:  log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
	}
	for _, f := range adjust {
		f(s.server)
	}
	transport := &http.Transport{DialContext: s.dial, Protocols: &protocols, TLSClientConfig: &tls.Config{RootCAs: pool}}
	if kind.proto == 2 {
		transport.MaxConnsPerHost = 1 // else it may dial a second one before it knows that the first can be shared
	}
	s.client = &http.Client{Transport: transport}
	served := make(chan error, 1)
	withSlots := conn.Configure(s.server, &w.table)
	go func() { served <- s.serve(withSlots(l)) }()
	s.stop = sync.OnceFunc(func() {
		transport.CloseIdleConnections()
		s.server.Close()
		expect.Equal(t, "Serve", await(t, "Serve", served), http.ErrServerClosed)
	})
	t.Cleanup(s.stop)
	return s
}

func (s *site) serve(l net.Listener) error {
	if s.kind.tls {
		return s.server.ServeTLS(l, "", "")
	}
	return s.server.Serve(l)
}

func (s *site) dial(ctx context.Context, network, address string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialed = append(s.dialed, nc.(*net.TCPConn))
	return nc, nil
}

// kill resets all connections, as a crash of the client does.
func (s *site) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, nc := range s.dialed {
		reset(nc)
	}
	s.dialed = nil
}

// reset closes a connection with an RST, which also leaves no port in TIME_WAIT.
func reset(nc *net.TCPConn) {
	nc.SetLinger(0)
	nc.Close()
}

// get makes a request and returns the response's body.
func (s *site) get(path string) (string, error) {
	resp, err := s.client.Get(s.url + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// certificate returns the one that net/http/httptest serves, and a pool that trusts it.
var certificate = sync.OnceValues(func() (tls.Certificate, *x509.CertPool) {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return srv.TLS.Certificates[0], pool
})
