// Package usage says how often the use of a session is stored, by a request and by a live socket alike.
package usage

import "time"

// Pause returns how long the use of a session is not stored again, so that to read one is not to write it. A session
// may therefore end up to a tenth of its idle timeout early, and not late.
func Pause(idleTimeout time.Duration) time.Duration { return idleTimeout / 10 }
