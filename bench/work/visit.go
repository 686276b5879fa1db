package work

import (
	"errors"
	"fmt"
)

// A visit is one request's session, used the way its library's documentation does. It is a struct, so that making one
// costs no contender an allocation.
type visit interface {
	get(i int) (string, error)
	set(i int, text string) error
	hit() error // counts one
	hits() (int64, error)
	login(user string) error // renews the token and says whose session it is
	user() (string, error)
	save() error // after changes, where the library wants to be told
}

// A task is what a handler does with its session.
type task int

const (
	touchNothing task = iota
	fill              // a first visit: sets every value
	readOne
	writeOne
	countHit
	logIn

	showValue // the ones that show are for checks, never timed
	showHits
	showUser

	tasks // how many there are
)

var errWrongValue = errors.New("the value read is not the one written")

// perform does p's task and returns what is to be shown, if anything.
func perform[V visit](p *plan, v V) (string, error) {
	switch p.task {
	case touchNothing:
		return "", nil
	case fill:
		return "", setAll(p, v)
	case readOne:
		return "", readMiddle(p, v)
	case writeOne:
		return "", saved(v, v.set(p.middle(), p.next()))
	case countHit:
		return "", saved(v, v.hit())
	case logIn:
		return "", saved(v, v.login(p.next()))
	default:
		return show(p, v)
	}
}

func saved[V visit](v V, err error) error {
	if err != nil {
		return err
	}
	return v.save()
}

func setAll[V visit](p *plan, v V) error {
	for i := range p.values {
		if err := v.set(i, texts[i]); err != nil {
			return err
		}
	}
	return v.save()
}

// readMiddle compares what it reads in every request, so that no figure is of a request that found nothing.
func readMiddle[V visit](p *plan, v V) error {
	text, err := v.get(p.middle())
	if err == nil && text != texts[p.middle()] {
		return errWrongValue
	}
	return err
}

func show[V visit](p *plan, v V) (string, error) {
	switch p.task {
	case showHits:
		n, err := v.hits()
		return fmt.Sprint(n), err
	case showUser:
		return v.user()
	default:
		return v.get(p.middle())
	}
}
