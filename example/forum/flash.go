package main

import (
	"context"
	"errors"

	"github.com/lazysession/session"
)

// flash holds messages for the next page.
var flash = session.NewKey[[]string]("flash")

// maxFlash keeps somebody who never looks at a page from filling the session.
const maxFlash = 5

// addFlash says something on the next page. Update is atomic, so that two tabs lose no message of each other, and commits
// whatever else this request has changed, so call it last and it costs nothing extra.
func addFlash(ctx context.Context, message string) error {
	_, err := flash.Update(ctx, func(waiting []string) ([]string, error) {
		waiting = append(waiting, message)
		return waiting[max(0, len(waiting)-maxFlash):], nil
	})
	return err
}

// takeFlash returns the messages that wait, which then wait no more. Nothing can be taken out of a session that has
// ended, or whose token a login in another tab has just replaced; then none wait.
func takeFlash(ctx context.Context) ([]string, error) {
	messages, _, err := flash.Take(ctx)
	if errors.Is(err, session.ErrEnded) {
		return nil, nil
	}
	return messages, err
}

// notices are messages that a redirect names by a code, where there is no session to keep them in. What a link could
// make this site say is limited to these.
var notices = map[string]string{
	"logged-out":  "You are logged out. See you soon.",
	"to-post":     "Log in to post.",
	"draft-kept":  "Log in to post. What you wrote is kept until then.",
	"ended":       "Your session has ended, so log in again to post. What you wrote is kept until then.",
	"to-sessions": "Log in to see your sessions.",
}
