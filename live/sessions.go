package live

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lazysession/session"
	"github.com/lazysession/session/internal/usage"
)

// An attachment is a session that has sockets on this node.
type attachment struct {
	id      session.ID
	sockets map[*Socket]struct{} // guarded by the hub's mu

	mu sync.Mutex
	// mu locks the remaining fields.
	owner   string    // as it was last read
	expires time.Time // as it was last read
	touch   time.Time // when a message next counts as use
}

func (a *attachment) ownedBy() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.owner
}

// expired reports whether the session has expired, as far as this node knows.
func (a *attachment) expired(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !now.Before(a.expires)
}

// attach counts a socket for its session and makes sure that the session lives: from then on the hub hears of its end.
// id is the socket that the client comes back with: its older connection, which may not be known to be broken, is not
// counted.
func (h *Hub) attach(s *Socket, id ID) *departure {
	of := s.handle.ID()
	h.mu.Lock()
	a := h.sessions[of]
	if a == nil {
		a = &attachment{id: of, sockets: make(map[*Socket]struct{})}
		h.sessions[of] = a
	}
	others := len(a.sockets)
	if older := h.sockets[id]; older != nil && older.session == a {
		others--
	}
	if others >= h.cfg.MaxPerSession {
		h.mu.Unlock()
		return &departure{code: StatusTooMuch, reason: "too many sockets of this session", why: Closed}
	}
	a.sockets[s] = struct{}{}
	s.session = a
	h.mu.Unlock()
	return h.look(s, true)
}

// detach takes a socket from its session.
func (h *Hub) detach(s *Socket) {
	if s.session == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(s.session.sockets, s)
	if len(s.session.sockets) == 0 && h.sessions[s.session.id] == s.session {
		delete(h.sessions, s.session.id)
	}
}

// look reads the session anew. Where the client has used it, it has the store note that, if it is due. It returns why
// the socket has to close, if it has to.
func (h *Hub) look(s *Socket, used bool) *departure {
	sess := s.handle.Session(s.ctx)
	info, err := sess.Info()
	if err == nil && used {
		if err = sess.Commit(s.ctx); err == nil {
			info, err = sess.Info()
		}
	}
	switch {
	case errors.Is(err, session.ErrEnded), err == nil && info.ID.IsZero():
		return &departure{code: StatusSessionEnded, reason: "session ended", why: SessionEnded}
	case err != nil:
		h.cfg.Logger.LogAttrs(s.ctx, slog.LevelError, "live: the session store failed",
			slog.String("session", s.handle.ID().String()), slog.Any("error", err))
		return &departure{code: 1013, reason: "try again later"}
	}
	a := s.session
	a.mu.Lock()
	defer a.mu.Unlock()
	a.owner, a.expires = info.Owner, info.Expires
	if used {
		a.touch = time.Now().Add(usage.Pause(info.IdleTimeout))
	}
	return nil
}

// used notes that the client has sent something, and reports whether the session still lives.
func (s *Socket) used() bool {
	a := s.session
	a.mu.Lock()
	due := time.Now().After(a.touch)
	a.mu.Unlock()
	if !due {
		return true
	}
	if d := s.hub.look(s, true); d != nil {
		s.end(*d)
		return false
	}
	return true
}

// sessionEvent is told what happened to sessions.
func (h *Hub) sessionEvent(e session.Event) {
	switch e.Kind {
	case session.EventEnded:
		d := departure{code: StatusSessionEnded, reason: "session ended", why: SessionEnded}
		if e.Reason == session.Expired {
			d.why = SessionExpired
		}
		h.endSession(e.ID, d)
	case session.EventRenewed:
		h.endSession(e.ID, departure{code: StatusRenewed, reason: "session renewed"})
	case session.EventMissed:
		h.background(h.recheck)
	}
}

// endSession ends the sockets of a session.
func (h *Hub) endSession(id session.ID, d departure) {
	for _, s := range h.socketsOf(id) {
		s.end(d)
	}
}

func (h *Hub) socketsOf(id session.ID) []*Socket {
	h.mu.RLock()
	defer h.mu.RUnlock()
	a := h.sessions[id]
	if a == nil {
		return nil
	}
	return slices.Collect(maps.Keys(a.sockets))
}

// attachedSessions returns the sessions that have sockets here.
func (h *Hub) attachedSessions() []*attachment {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Collect(maps.Values(h.sessions))
}

// recheck asks the store which sessions still live, after events may have been lost. A node that gets no answer for
// blindFor could not hear of a logout: it closes its sockets.
func (h *Hub) recheck() {
	const (
		blindFor = 5 * time.Second
		pause    = 500 * time.Millisecond
	)
	for began := time.Now(); h.ctx.Err() == nil; {
		err := h.endThoseGone()
		if err == nil {
			return
		}
		if time.Since(began) > blindFor {
			h.cfg.Logger.LogAttrs(h.ctx, slog.LevelError, "live: no word of the sessions: closing all sockets",
				slog.Any("error", err))
			for _, s := range h.all() {
				s.end(departure{code: 1013, reason: "try again later"})
			}
			return
		}
		select {
		case <-time.After(pause):
		case <-h.ctx.Done():
		}
	}
}

// endThoseGone ends the sockets whose sessions are gone.
func (h *Hub) endThoseGone() error {
	attached := h.attachedSessions()
	if len(attached) == 0 {
		return nil
	}
	ids := make([]session.ID, len(attached))
	for i, a := range attached {
		ids[i] = a.id
	}
	live, err := h.m.Live(h.ctx, ids...)
	if errors.Is(err, errors.ErrUnsupported) {
		return h.lookAtAll(attached)
	}
	if err != nil {
		return err
	}
	lives := make(map[session.ID]bool, len(live))
	for _, id := range live {
		lives[id] = true
	}
	for _, id := range ids {
		if !lives[id] {
			h.endSession(id, departure{code: StatusSessionEnded, reason: "session ended", why: SessionEnded})
		}
	}
	return nil
}

// lookAtAll is for stores that can't be asked for many sessions at once.
func (h *Hub) lookAtAll(attached []*attachment) error {
	for _, a := range attached {
		for _, s := range h.socketsOf(a.id) {
			if d := h.look(s, false); d != nil && d.code == StatusSessionEnded {
				s.end(*d)
			} else if d != nil {
				return session.ErrUnavailable
			}
		}
	}
	return nil
}
