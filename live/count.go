package live

import "sync"

// A count counts what is at work. Unlike a sync.WaitGroup it can be waited for along with something else.
type count struct {
	mu sync.Mutex
	// mu locks the remaining fields.
	n    int
	none chan struct{} // closed once n is 0; nil while nobody waits
}

func (c *count) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *count) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 && c.none != nil {
		close(c.none)
		c.none = nil
	}
}

// gone returns a channel that is closed once nothing is at work.
func (c *count) gone() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.none == nil {
		c.none = make(chan struct{})
	}
	gone := c.none
	if c.n == 0 {
		close(gone)
		c.none = nil
	}
	return gone
}
