package session

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/lazysession/session/store"
)

// Info is what is known of a session, for lists and operators. It grants nothing.
type Info struct {
	ID         ID
	Created    time.Time
	LastSeen   time.Time // moves once per tenth of the idle timeout
	Expires    time.Time // if it is not used before
	Owner      string
	Labels     map[string]string
	Persistent bool
	Count      int // of values
	Size       int // of values and labels with their names, in bytes: what Config.MaxBytes limits

	IdleTimeout time.Duration // from LastSeen to the end of a session that is not used
	Lifetime    time.Duration // from Created to the end of any session
}

// Info returns what is known of the session, with this request's changes; the zero Info where there is none.
func (s *Session) Info() (Info, error) {
	view, err := s.inspect("Info")
	if err != nil || view == nil {
		return Info{}, err
	}
	return infoOf(view), nil
}

func infoOf(r *store.Record) Info {
	return Info{
		ID:         r.ID,
		Created:    r.Created.Time(),
		LastSeen:   r.LastSeen.Time(),
		Expires:    r.Expires().Time(),
		Owner:      r.Owner,
		Labels:     maps.Clone(r.Labels),
		Persistent: r.Persistent,
		Count:      r.Values.Len(),
		Size:       sizeOf(r),

		IdleTimeout: r.IdleTimeout,
		Lifetime:    r.Lifetime,
	}
}

// inspect returns the session as this request sees it, nil where there is none.
func (s *Session) inspect(what string) (view *store.Record, err error) {
	err = s.do(s.ctx, inspecting(what), func(v *visit) (err error) {
		view, err = v.current()
		return err
	})
	return view, err
}

// Names returns the names of all values, sorted.
func (s *Session) Names() ([]string, error) {
	view, err := s.inspect("Names")
	if err != nil || view == nil {
		return nil, err
	}
	var names []string
	for name := range view.Values.All() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Values returns all values as the JSON they are stored as, by name. The map is the caller's.
func (s *Session) Values() (map[string]json.RawMessage, error) {
	view, err := s.inspect("Values")
	if err != nil || view == nil {
		return nil, err
	}
	values := make(map[string]json.RawMessage)
	for name, doc := range view.Values.All() {
		values[name] = json.RawMessage(doc)
	}
	return values, nil
}
