package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/lazysession/session"
	"github.com/lazysession/session/service"
)

// A device is one of the sessions of the logged-in user.
type device struct {
	session.Info
	Name    string
	Current bool // this one
}

// listDevices is "your sessions".
func listDevices(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	owner, err := user.Get(ctx)
	if err != nil {
		return err
	}
	if owner == "" {
		return redirect(w, r, "/login?notice=to-sessions")
	}
	devices, err := devicesOf(ctx, owner)
	if err != nil {
		return err
	}
	v, err := openView(r, "Your sessions")
	if err != nil {
		return err
	}
	return v.show(w, http.StatusOK, "devices", devices)
}

// devicesOf returns the sessions of an owner: this one first, then the newest.
func devicesOf(ctx context.Context, owner string) ([]device, error) {
	manager, err := service.Query[*session.Manager](ctx)
	if err != nil {
		return nil, err
	}
	current := session.FromContext(ctx).ID()
	var devices []device
	for info, err := range manager.Sessions(ctx, session.Filter{Owner: owner}) {
		if err != nil {
			return nil, err
		}
		name := cmp.Or(info.Labels["device"], unknownDevice)
		devices = append(devices, device{info, name, info.ID == current})
	}
	slices.SortFunc(devices, func(a, b device) int {
		switch {
		case a.Current:
			return -1
		case b.Current:
			return 1
		}
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.ID.String(), b.ID.String()))
	})
	return devices, nil
}

// errNoDevice says that the session does not exist or belongs to another user. Both get the same answer, so that it
// tells nothing about other users' sessions.
var errNoDevice = errors.New("no such session")

func endDevice(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	owner, id, err := deviceToEnd(r)
	if err != nil {
		return err
	}
	if owner == "" {
		return redirect(w, r, "/login?notice=to-sessions")
	}
	if id == session.FromContext(ctx).ID() {
		return logOut(w, r)
	}
	devices, err := devicesOf(ctx, owner)
	if err != nil {
		return err
	}
	// The ID comes from a form, so it may be another user's.
	at := slices.IndexFunc(devices, func(d device) bool { return d.ID == id })
	if at < 0 {
		return errNoDevice
	}
	manager, err := service.Query[*session.Manager](ctx)
	if err != nil {
		return err
	}
	if err := manager.End(ctx, id); err != nil {
		return err
	}
	if err := flash.Add(ctx, info, "The session on "+devices[at].Name+" has ended."); err != nil {
		return err
	}
	return redirect(w, r, "/sessions")
}

// deviceToEnd returns the logged-in user and the session to end.
func deviceToEnd(r *http.Request) (owner string, id session.ID, err error) {
	if err := parseForm(r); err != nil {
		return "", id, err
	}
	id, err = session.ParseID(r.PostForm.Get("id"))
	if err != nil {
		return "", id, badRequest("That is not the ID of a session.")
	}
	owner, err = user.Get(r.Context())
	return owner, id, err
}

func endOtherDevices(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	owner, err := user.Get(ctx)
	if err != nil {
		return err
	}
	if owner == "" {
		return redirect(w, r, "/login?notice=to-sessions")
	}
	manager, err := service.Query[*session.Manager](ctx)
	if err != nil {
		return err
	}
	ended, err := manager.EndOwner(ctx, owner, session.FromContext(ctx).ID())
	if err != nil {
		return err
	}
	if err := flash.Add(ctx, info, "Ended "+count(ended, "other session")+"."); err != nil {
		return err
	}
	return redirect(w, r, "/sessions")
}
