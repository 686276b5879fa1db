package work

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/session"
	"github.com/valyala/fasthttp"
)

type fiberServer struct {
	middleware fiber.Handler
	store      *session.Store
}

func openFiber() (server, error) {
	middleware, store := session.NewWithStore()
	return fiberServer{middleware, store}, nil
}

func (s fiberServer) close() { s.store.Storage.Close() }

func (s fiberServer) client(p *plan) client {
	app := fiber.New()
	app.Use(s.middleware)
	app.Get("/", func(c fiber.Ctx) error {
		text, err := perform(p, bagVisit[fiberBag]{fiberBag{c}})
		switch {
		case err != nil:
			return err
		case text != "":
			return c.SendString(text)
		}
		return c.Send(done)
	})
	return newFiberClient(app)
}

// A fiberClient calls fiber without an adaptor to net/http, which fiber's users don't pay for either.
type fiberClient struct {
	handler fasthttp.RequestHandler
	ctx     fasthttp.RequestCtx
	sent    []byte
}

func newFiberClient(app *fiber.App) *fiberClient {
	c := &fiberClient{handler: app.Handler()}
	c.ctx.Request.Header.SetMethod(http.MethodGet)
	c.ctx.Request.SetRequestURI("/")
	return c
}

// do has fasthttp parse the cookie each time, as it does for each request that it reads.
func (c *fiberClient) do() error {
	c.ctx.ResetUserValues()
	c.ctx.Response.Reset()
	c.ctx.Request.Header.DelAllCookies()
	if len(c.sent) > 0 {
		c.ctx.Request.Header.SetBytesV("Cookie", c.sent)
	}
	c.handler(&c.ctx)
	if status := c.ctx.Response.StatusCode(); status != http.StatusOK {
		return fmt.Errorf("status %d: %s", status, c.shown())
	}
	if set := c.ctx.Response.Header.PeekCookie("session_id"); len(set) > 0 {
		end := bytes.IndexByte(set, ';')
		c.sent = append(c.sent[:0], set[:end]...)
	}
	return nil
}

func (c *fiberClient) cookie() string { return string(c.sent) }

func (c *fiberClient) setCookie(pair string) { c.sent = append(c.sent[:0], pair...) }

func (c *fiberClient) shown() string { return string(c.ctx.Response.Body()) }

type fiberBag struct{ ctx fiber.Ctx }

func (b fiberBag) get(name string) (any, error) { return session.FromContext(b.ctx).Get(name), nil }
func (b fiberBag) renew() error                 { return session.FromContext(b.ctx).Regenerate() }
func (b fiberBag) save() error                  { return nil }

func (b fiberBag) put(name string, value any) error {
	session.FromContext(b.ctx).Set(name, value)
	return nil
}
