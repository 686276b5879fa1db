package main

import (
	"context"

	"github.com/lazysession/session/service"
)

// A site is what pages say of the server that made them. It is one of the services that they ask for.
type site struct {
	Server   string // its name, where it is one of several; empty: pages show none
	Database bool   // sessions and posts outlive the server
}

// siteOf returns the zero site for requests that were refused before they reached the services.
func siteOf(ctx context.Context) site {
	s, _ := service.Query[site](ctx)
	return s
}
