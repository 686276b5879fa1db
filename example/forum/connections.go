package main

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/lazysession/session/conn"
	"github.com/lazysession/session/slot"
)

// Connections are the layers that keep data of each connection. They share a table and don't know of each other.
type connections struct {
	table   slot.Table
	traffic *trafficLayer
	rate    *rateLayer
}

// newConnections stacks the layers. Rate is how many requests a second one connection may make; 0: any number.
func newConnections(rate int) (*connections, error) {
	c := new(connections)
	var err, errRate error
	c.traffic, err = newTrafficLayer(&c.table)
	c.rate, errRate = newRateLayer(&c.table, rate)
	return c, errors.Join(err, errRate)
}

// configure gives the server's connections slots, and returns the function that does so for a listener.
func (c *connections) configure(srv *http.Server) (withSlots func(net.Listener) net.Listener) {
	return conn.Configure(srv, &c.table)
}

type connectionView struct {
	Requests, In, Out int
	Since             time.Time
	Protocol          string
	TLS               string // its version; empty: none
	Rate              int
	Figures           slot.Figures
}

// showConnection is "your connection". It uses no session: what it shows belongs to the connection.
func (c *connections) showConnection(w http.ResponseWriter, r *http.Request) error {
	t, err := c.traffic.slot.Get(conn.FromContext(r.Context()))
	if err != nil {
		return err
	}
	data := connectionView{
		Requests: int(t.requests.Load()),
		In:       int(t.in.Load()),
		Out:      int(t.out.Load()),
		Since:    t.since,
		Protocol: r.Proto,
		Rate:     c.rate.perSecond,
		Figures:  c.table.Figures(),
	}
	if r.TLS != nil {
		data.TLS = tls.VersionName(r.TLS.Version)
	}
	w.Header().Set("Cache-Control", "no-store")
	return plainView(r, "Your connection").write(w, http.StatusOK, "connection", data)
}
