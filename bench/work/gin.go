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
		text, err := perform(p, bagVisit[ginBag]{ginBag{c}})
		respond(c.Writer, text, err)
	})
	return engine
}

// A ginBag finds the session only where it is used: looking for it is cheap, but not free.
type ginBag struct{ c *gin.Context }

func (b ginBag) get(name string) (any, error) { return sessions.Default(b.c).Get(name), nil }
func (b ginBag) renew() error                 { return nil } // there is no call for it
func (b ginBag) save() error                  { return sessions.Default(b.c).Save() }

func (b ginBag) put(name string, value any) error {
	sessions.Default(b.c).Set(name, value)
	return nil
}
