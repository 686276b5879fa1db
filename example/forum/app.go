package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/service"
)

// maxPerOwner is how many devices somebody may be logged in on. It also keeps the page that lists them short.
const maxPerOwner = 100

// An app is the forum as one handler, with the services that its handlers ask for.
type app struct {
	http.Handler
	services    *service.Registry
	health      *health
	connections *connections
	live        *liveSite
}

// newApp builds the forum on a storage, which the caller closes after the app.
func newApp(on storage, cfg settings) (*app, error) {
	services := service.NewRegistry(nil)
	err := errors.Join(
		service.Provide(services, on.posts),
		service.Provide(services, site{Server: cfg.name, Database: on.database}),
	)
	if err != nil {
		return nil, err
	}
	// The Manager provides itself in services.
	manager, err := session.New(countingStore{on.sessions}, &session.Config{
		Keys:           cfg.keys,
		Cookie:         cfg.cookie(),
		TrustedProxies: cfg.proxies,
		IdleTimeout:    cfg.idle,
		MaxPerOwner:    maxPerOwner,
		Services:       services,
		OnError:        showError,
	})
	if err != nil {
		return nil, err
	}
	connections, err := newConnections(cfg.rate)
	if err != nil {
		return nil, err
	}
	live, err := newLiveSite(manager, on.streams)
	if err != nil {
		return nil, err
	}
	if err := service.Provide(services, live); err != nil {
		return nil, err
	}
	health := &health{sessions: manager}
	return &app{routes(manager, health, connections, live), services, health, connections, live}, nil
}

// Close closes the live sockets, and then the services that they use, among them the Manager.
func (a *app) Close() error {
	return errors.Join(a.live.close(), a.services.Close(context.Background()))
}
