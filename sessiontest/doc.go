// Package sessiontest helps to test handlers that use sessions, without a browser.
//
//	func TestAccount(t *testing.T) {
//		m, clock := sessiontest.New(t, nil)
//		req := sessiontest.NewRequest(t, m, "GET", "/account", nil, func(ctx context.Context) error {
//			return name.Set(ctx, "Ann")
//		})
//		clock.Advance(time.Hour)
//		rec := httptest.NewRecorder()
//		m.Handler(http.HandlerFunc(account)).ServeHTTP(rec, req)
//
//		after := sessiontest.After(t, m, req, rec.Result())
//		got, err := name.Get(after) // "", since the session has expired
//	}
//
// # How to think about it
//
// A test of one request has three steps. [NewRequest] returns the request of a visitor with a session, which can have
// values, an owner and labels. Your handler serves it, with your own middleware or without. [After] shows the session
// as the visitor's next request would see it. It changes nothing, not even the time when the session was last seen.
//
// A [Client] is a visitor over several requests: it keeps the cookies, and uses https by itself.
//
// A [BrokenStore] fails, hangs or loses its replies when it is told to. With it you can test what your pages say then.
//
// NewRequest and After work with any Manager, also one on a database, and with the cookie as well as
// session.BearerHeader. A session.Carrier of your own needs requests of your own; After reads what they carry.
//
// # Time
//
// Under testing/synctest you need nothing of this package to move time: sessions expire during time.Sleep, with
// mem.New(nil) and with [New]. Elsewhere [Clock.Advance] moves time.
package sessiontest
