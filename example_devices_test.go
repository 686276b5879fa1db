package session_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"slices"
	"strings"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

type devices struct{ sessions *session.Manager }

func (d devices) logIn(w http.ResponseWriter, r *http.Request) {
	s := session.FromContext(r.Context())
	err := errors.Join(s.Renew(), s.SetOwner(r.FormValue("user")), s.SetLabel("device", r.FormValue("device")))
	if err != nil {
		session.Error(w, r, err)
		return
	}
	fmt.Fprintln(w, "You are logged in.")
}

// owner returns the user who is logged in, or answers the request in the handler's place.
func (d devices) owner(w http.ResponseWriter, r *http.Request) (user string, ok bool) {
	user, err := session.FromContext(r.Context()).Owner()
	switch {
	case err != nil: // never take an error for "not logged in"
		session.Error(w, r, err)
	case user == "":
		http.Error(w, "Please log in.", http.StatusUnauthorized)
	}
	return user, err == nil && user != ""
}

func (d devices) list(w http.ResponseWriter, r *http.Request) {
	user, ok := d.owner(w, r)
	if !ok {
		return
	}
	this := session.FromContext(r.Context()).ID()
	var found []string
	for info, err := range d.sessions.Sessions(r.Context(), session.Filter{Owner: user}) {
		if err != nil {
			session.Error(w, r, err)
			return
		}
		device := info.Labels["device"]
		if info.ID == this {
			device += " (this one)"
		}
		found = append(found, device)
	}
	slices.Sort(found) // they come in no particular order
	fmt.Fprintln(w, strings.Join(found, ", "))
}

func (d devices) logOutOthers(w http.ResponseWriter, r *http.Request) {
	user, ok := d.owner(w, r)
	if !ok {
		return
	}
	this := session.FromContext(r.Context()).ID()
	n, err := d.sessions.EndOwner(r.Context(), user, this) // without this one's ID: here as well
	if err != nil {
		session.Error(w, r, err)
		return
	}
	fmt.Fprintln(w, "Sessions ended elsewhere:", n)
}

// List the devices on which a user is logged in, and log out everywhere else.
func ExampleManager_EndOwner() {
	m, err := session.New(mem.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	d, mux := devices{m}, http.NewServeMux()
	mux.HandleFunc("POST /login", d.logIn)
	mux.HandleFunc("GET /devices", d.list)
	mux.HandleFunc("POST /logout-others", d.logOutOthers)

	phone, laptop := newBrowser(m.Handler(mux)), newBrowser(m.Handler(mux))
	phone.visit("POST /login?user=ann&device=phone")
	laptop.visit("POST /login?user=ann&device=laptop", "GET /devices", "POST /logout-others")
	phone.visit("GET /devices")
	// Output:
	// You are logged in.
	// You are logged in.
	// laptop (this one), phone
	// Sessions ended elsewhere: 1
	// Please log in.
}
