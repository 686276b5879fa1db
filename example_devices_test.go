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
	fmt.Fprintln(w, "logged in, error:", err)
}

func (d devices) list(w http.ResponseWriter, r *http.Request) {
	s := session.FromContext(r.Context())
	user, err := s.Owner()
	if err != nil || user == "" { // an empty owner would list everybody's
		http.Error(w, "Please log in.", http.StatusUnauthorized)
		return
	}
	var found []string
	for info, err := range d.sessions.Sessions(r.Context(), session.Filter{Owner: user}) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		device := info.Labels["device"]
		if info.ID == s.ID() {
			device += " (this one)"
		}
		found = append(found, device)
	}
	slices.Sort(found) // they come in no particular order
	fmt.Fprintln(w, strings.Join(found, ", "))
}

func (d devices) logOutOthers(w http.ResponseWriter, r *http.Request) {
	s := session.FromContext(r.Context())
	user, err := s.Owner()
	if err != nil || user == "" {
		http.Error(w, "Please log in.", http.StatusUnauthorized)
		return
	}
	n, err := d.sessions.EndOwner(r.Context(), user, s.ID()) // without s.ID(): here as well
	fmt.Fprintln(w, "logged out elsewhere:", n, "error:", err)
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
	// logged in, error: <nil>
	// logged in, error: <nil>
	// laptop (this one), phone
	// logged out elsewhere: 1 error: <nil>
	// Please log in.
}
