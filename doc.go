// Package session gives net/http programs sessions that cost one allocation until they are used, lose nothing that was
// acknowledged, and stay ended once they have ended.
//
//	var visits = session.NewCounter("visits")
//
//	func main() {
//		m, err := session.New(mem.New(nil), nil)
//		if err != nil {
//			log.Fatal(err)
//		}
//		log.Fatal(http.ListenAndServeTLS(":8443", "cert.pem", "key.pem", m.Handler(http.HandlerFunc(count))))
//	}
//
//	func count(w http.ResponseWriter, r *http.Request) {
//		n, err := visits.Next(r.Context())
//		if err != nil {
//			session.Error(w, r, err)
//			return
//		}
//		fmt.Fprintf(w, "Visit %d\n", n)
//	}
//
// # The life of a session
//
// A [Manager] wraps handlers and attaches a lazy [Session] to each request's context. The first use of it, by a [Key],
// a [Counter] or [FromContext], verifies the cookie and loads the record; a request that does not use it pays one
// allocation. The first write makes a session, with a cookie, where there is none; visitors who write nothing get
// neither. What a request changes is gathered and committed in one atomic step before the first byte of its response.
//
// At login, and at any change of privilege, call [Session.Renew] and [Session.SetOwner]; at logout, [Session.End].
// [Manager.Sessions], [Manager.End] and [Manager.EndOwner] are for "your devices" and "log out everywhere". A session
// ends by itself when it was idle for Config.IdleTimeout, or Config.Lifetime after it was made. [Error] answers a
// request with any error of this package.
//
// # Values
//
// A value is one JSON document under a name. A [Key] gives it a Go type: numbers, strings, booleans, times, []byte and
// json.RawMessage go without reflection, everything else through encoding/json. A stored value that no longer decodes,
// after a deploy, say, is a [ValueError] when it is read, and hurts no other.
//
// Requests send what they did, not what they saw: two that set different names never lose each other's work, and a
// Counter's additions all count, whichever node they come from. [Counter.Next] is for the exact number of a count, and
// [Key.Update] for changes that depend on the value. Where two requests Set the same name, the later commit wins. A
// [Flash] holds messages that the next page shows once.
//
// # What is promised
//
//   - The commit comes before the first byte of the response. When it fails, what the handler wrote is thrown away, and
//     Config.OnError answers: completely, and at once.
//   - A store that can't be reached is an error, never "not logged in". A response can't be a success (a status below
//     400) while an operation of its request has failed and was not made good, by the same operation succeeding later
//     or by Session.Degrade: OnError answers in its place. So a handler that overlooks an error says nothing false. A
//     failure after the first byte can only be returned, and logged.
//   - What ended stays ended: only a write of a visitor without a session makes one, no response brings back the cookie
//     of a session that it finds ended, and a request that changed a session which ended meanwhile is answered 409.
//   - A write that fails makes no session.
//   - The token is 32 random bytes, signed in the format of github.com/gorilla/securecookie, and known to stores as its
//     SHA-256 only. It appears in no log, error or list. No token or ID is ever taken from a client.
//   - A forged, unknown, renewed or expired token is no error: there just is no session. Valid tokens of two live
//     sessions in one request are refused both.
//   - The cookie's defaults are the safe ones, and New refuses what browsers would drop without a word.
//   - Responses that read the session carry Vary; those that set the cookie can't be stored by shared caches; others
//     are left alone.
//   - The ResponseWriter keeps its abilities: Flush, Hijack, ReadFrom, full duplex, deadlines.
//
// # Streaming and long-lived handlers
//
// The response begins with the first write, Flush or Hijack. Until then everything can be changed; after it, only a
// session that exists already, and what would need a cookie returns [ErrTooLate]. Handlers that run long call
// [Session.Commit] when something must be kept, and [Session.Reload] to see what others did.
//
// # Stores
//
// Package store/mem keeps sessions in the process, store/postgres in a database that any number of servers share. The
// contract for others is package store, with store/storetest as its test suite. Package sessiontest helps to test
// handlers, with a client that keeps cookies, a clock and a store that breaks when it is told to.
package session
