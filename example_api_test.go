package session_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/store/mem"
)

func issueToken(w http.ResponseWriter, r *http.Request) {
	account, secret, ok := r.BasicAuth()
	if !ok || secret != "swordfish" {
		http.Error(w, "Who are you?", http.StatusUnauthorized)
		return
	}
	if err := session.FromContext(r.Context()).SetOwner(account); err != nil {
		session.Error(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent) // the token is in the header
}

// Serve clients that keep no cookies: programs and apps.
func ExampleBearerHeader() {
	m, err := session.New(mem.New(nil), &session.Config{
		Carrier:     session.BearerHeader(),
		IdleTimeout: 30 * 24 * time.Hour,
		Lifetime:    90 * 24 * time.Hour,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", issueToken)
	mux.HandleFunc("GET /whoami", func(w http.ResponseWriter, r *http.Request) {
		owner, err := session.FromContext(r.Context()).Owner()
		if err != nil {
			session.Error(w, r, err)
			return
		}
		fmt.Fprintf(w, "You are %s.", owner)
	})
	api := m.Handler(mux)

	// curl -i -X POST -u robot:swordfish https://api.example.com/token
	r, w := httptest.NewRequest("POST", "/token", nil), httptest.NewRecorder()
	r.SetBasicAuth("robot", "swordfish")
	api.ServeHTTP(w, r)
	token := w.Header().Get(session.TokenHeader)

	// curl -H "Authorization: Bearer $token" https://api.example.com/whoami
	r, w = httptest.NewRequest("GET", "/whoami", nil), httptest.NewRecorder()
	r.Header.Set("Authorization", "Bearer "+token)
	api.ServeHTTP(w, r)
	fmt.Println(w.Body)
	// Output: You are robot.
}
