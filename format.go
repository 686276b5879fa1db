package session

import "fmt"

// Format keeps the token, and with %s of a pointer whatever it leads to, out of a log that somebody prints a Session
// into. It asks for nothing, not even the ID, which might mean a call of the store.
func (s *Session) Format(f fmt.State, _ rune) { fmt.Fprint(f, "session.Session") }

// Format does so for the Manager and its signing keys.
func (m *Manager) Format(f fmt.State, _ rune) { fmt.Fprint(f, "session.Manager") }
