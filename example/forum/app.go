package main

import (
	"context"
	"net/http"

	"github.com/lazysession/session"
	"github.com/lazysession/session/service"
)

// maxPerOwner is how many devices somebody may be logged in on. It also keeps the page that lists them short.
const maxPerOwner = 100

// An app is the forum as one handler, with the services that its handlers ask for.
type app struct {
	http.Handler
	services *service.Registry
}

// newApp builds the forum on a store for sessions. The caller closes the store, after the app.
func newApp(sessions backend, cfg settings) (*app, error) {
	services := service.NewRegistry(nil)
	if err := service.Provide[repository](services, newMemoryRepo()); err != nil {
		return nil, err
	}
	// The Manager provides itself in services.
	manager, err := session.New(countingStore{sessions}, &session.Config{
		Keys:        cfg.keys,
		Cookie:      cfg.cookie(),
		IdleTimeout: cfg.idle,
		MaxPerOwner: maxPerOwner,
		Services:    services,
		OnError:     showError,
	})
	if err != nil {
		return nil, err
	}
	return &app{Handler: routes(manager), services: services}, nil
}

// Close closes the services, among them the Manager.
func (a *app) Close() error { return a.services.Close(context.Background()) }
