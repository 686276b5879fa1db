package work

import (
	"errors"
	"fmt"
	"strconv"
)

// checked is how many requests are sent before the first check.
const checked = 3

// check finds out whether what the requests so far did is there. It is called before the work is timed and after, so
// that nobody is fast by doing less.
func (r *rig) check() error {
	cookie := r.clients[0].cookie()
	switch r.work.task {
	case touchNothing:
		return r.checkUntouched(cookie)
	case fill:
		return r.checkNew(cookie)
	case countHit:
		return r.checkShown(showHits, cookie, strconv.Itoa(r.sent/len(r.clients)))
	case writeOne:
		return r.checkShown(showValue, cookie, r.plan.last())
	case logIn:
		return r.checkLogin(cookie)
	}
	return r.checkRead(cookie)
}

func (r *rig) checkShown(t task, cookie, want string) error {
	c, err := r.ask(t, cookie)
	if err == nil && c.shown() != want {
		err = fmt.Errorf("after %d requests: got %q, want %q", r.sent, c.shown(), want)
	}
	return err
}

// checkUntouched makes sure that a session that was sent is still there.
func (r *rig) checkUntouched(cookie string) error {
	if r.work.values == 0 || r.whyNot(work{task: readOne}) != "" {
		return nil
	}
	return r.checkRead(cookie)
}

// checkRead makes sure that the reading of a value can fail as well.
func (r *rig) checkRead(cookie string) error {
	if _, err := r.ask(readOne, cookie); err != nil {
		return err
	}
	if _, err := r.ask(readOne, ""); err == nil {
		return errors.New("a visitor without a cookie reads the value")
	}
	return nil
}

// checkNew makes sure that another request makes another session.
func (r *rig) checkNew(cookie string) error {
	if err := r.send(1); err != nil {
		return err
	}
	if r.clients[0].cookie() == cookie && !r.stateless {
		return errors.New("two visitors have the same cookie")
	}
	return r.checkRead(cookie)
}

// checkLogin makes sure that the old token is dead.
func (r *rig) checkLogin(old string) error {
	if err := r.checkShown(showUser, old, r.plan.last()); err != nil {
		return err
	}
	if err := r.send(1); err != nil {
		return err
	}
	cookie := r.clients[0].cookie()
	if _, err := r.ask(readOne, cookie); err != nil {
		return fmt.Errorf("the values after a login: %w", err)
	}
	if _, err := r.ask(readOne, old); err == nil {
		return errors.New("the old token still opens the session")
	}
	return r.checkShown(showUser, cookie, r.plan.last())
}
