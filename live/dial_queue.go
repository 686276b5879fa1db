package live

import (
	"fmt"
	"slices"
)

// A clientMessage is a message that a client sends.
type clientMessage struct {
	data   []byte
	answer chan error // has room for the one answer
}

// A clientQueue keeps what a client has sent until it is answered.
type clientQueue struct {
	bound    int              // how many messages may wait
	messages []*clientMessage // without an answer, oldest first
	numbers  []uint64         // of the first messages: these are on their way
	last     uint64           // the last number that was given
	open     bool             // the connection is welcome
	window   int              // how many messages may be on their way
	max      int              // how long a message may be; 0: not known yet
}

// add puts a message at the end of the queue.
func (q *clientQueue) add(data []byte) (*clientMessage, error) {
	if q.tooLarge(data) {
		return nil, errClientLarge()
	}
	if len(q.messages) >= q.bound {
		return nil, &SendError{Code: "full", Text: "too many messages wait"}
	}
	m := &clientMessage{data: slices.Clone(data), answer: make(chan error, 1)}
	q.messages = append(q.messages, m)
	return m, nil
}

func errClientLarge() error { return &SendError{Code: "large", Text: "too large"} }

func (q *clientQueue) tooLarge(data []byte) bool { return q.max > 0 && len(data) > q.max }

// next returns the frame of the next message that may go on its way, or nil.
func (q *clientQueue) next() []byte {
	sent := len(q.numbers)
	if !q.open || sent >= q.window || sent >= len(q.messages) {
		return nil
	}
	q.last++
	q.numbers = append(q.numbers, q.last)
	return fmt.Appendf(nil, "[%d,%s]", q.last, q.messages[sent].data)
}

// answered ends the messages up to a number, which were handled.
func (q *clientQueue) answered(number uint64) {
	for len(q.numbers) > 0 && q.numbers[0] <= number {
		q.remove(0, nil)
	}
}

// refused ends the message of a number.
func (q *clientQueue) refused(number uint64, err error) {
	if i := slices.Index(q.numbers, number); i >= 0 {
		q.remove(i, err)
	}
}

// abandon removes a message that nobody waits for, unless it is on its way.
func (q *clientQueue) abandon(m *clientMessage) {
	if i := slices.Index(q.messages, m); i >= len(q.numbers) {
		q.remove(i, nil)
	}
}

// resume takes back what was on its way and was not handled up to in.
func (q *clientQueue) resume(in uint64) {
	q.answered(in)
	q.numbers = nil
	q.last = in
}

// restart is for a socket that the server does not know any more. What was on its way may have been handled.
func (q *clientQueue) restart(in uint64) {
	for len(q.numbers) > 0 {
		q.remove(0, &SendError{Code: "unknown", Text: "the connection was lost before the answer"})
	}
	q.last = in
}

// welcome opens the queue for a connection with these limits.
func (q *clientQueue) welcome(window, max int) {
	q.open, q.window, q.max = true, window, max
	for i := len(q.messages) - 1; i >= 0; i-- {
		if q.tooLarge(q.messages[i].data) {
			q.remove(i, errClientLarge())
		}
	}
}

// fail ends all messages.
func (q *clientQueue) fail(err error) {
	for len(q.messages) > 0 {
		q.remove(0, err)
	}
}

func (q *clientQueue) remove(i int, err error) {
	q.messages[i].answer <- err
	q.messages = slices.Delete(q.messages, i, i+1)
	if i < len(q.numbers) {
		q.numbers = slices.Delete(q.numbers, i, i+1)
	}
}
