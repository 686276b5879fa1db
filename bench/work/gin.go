package work

import (
	"net/http"

	"github.com/gin-contrib/sessions"
	"github.com/gin-contrib/sessions/memstore"
	"github.com/gin-gonic/gin"
)

func openGin() (server, error) {
	gin.SetMode(gin.ReleaseMode)
	store := memstore.NewStore(signingKey)
	return httpServer{handler: func(p *plan) http.Handler { return newGin(p, store) }}, nil
}

func newGin(p *plan, store sessions.Store) http.Handler {
	engine := gin.New()
	engine.Use(sessions.Sessions(cookieName, store))
	engine.GET("/", func(c *gin.Context) {
		text, err := perform(p, ginVisit{c})
		respond(c.Writer, text, err)
	})
	return engine
}

// A ginVisit finds the session only where it is used: looking for it is cheap, but not free.
type ginVisit struct{ c *gin.Context }

func (v ginVisit) session() sessions.Session { return sessions.Default(v.c) }

func (v ginVisit) get(i int) (string, error) { return v.text(names[i]) }
func (v ginVisit) user() (string, error)     { return v.text("user") }
func (v ginVisit) save() error               { return v.session().Save() }

func (v ginVisit) text(name string) (string, error) {
	text, _ := v.session().Get(name).(string)
	return text, nil
}

func (v ginVisit) set(i int, text string) error {
	v.session().Set(names[i], text)
	return nil
}

func (v ginVisit) hit() error {
	n, _ := v.hits()
	v.session().Set("hits", n+1)
	return nil
}

func (v ginVisit) hits() (int64, error) {
	n, _ := v.session().Get("hits").(int64)
	return n, nil
}

func (v ginVisit) login(user string) error {
	v.session().Set("user", user)
	return nil
}
