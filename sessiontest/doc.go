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
//		got, err := name.Get(after) // "", for the session has idled out
//	}
//
// # How to think about it
//
// [NewRequest] is the visitor before the request, with whatever a session can have: values, an owner, a label. Between
// it and [After] stands your handler, with your own middleware or without. [After] is the visitor with the response in
// hand: it sees what the visitor's next request would see, and changes nothing, not even when the session was last
// seen.
//
// A [Client] is a visitor over several requests: it keeps the cookies, and speaks https by itself.
//
// A [BrokenStore] fails, hangs or loses its replies when it is told to: it shows what your pages say then.
//
// The first two work with any Manager, also one on a database, and with the cookie as well as session.BearerHeader. A
// session.Carrier of your own needs requests of your own; [After] reads what they carry.
//
// # Time
//
// Under testing/synctest nothing of this package is needed to move time: sessions end as time.Sleep passes, with
// mem.New(nil) as with [New]. Elsewhere a [Clock] is moved by hand.
package sessiontest
