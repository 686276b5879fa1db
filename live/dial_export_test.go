package live

// DialWith returns a Conn that has begun to connect, with random numbers of the test's.
func DialWith(url string, o *DialOptions, random func() float64) (*Conn, error) {
	return dialing(url, o, random)
}

// Open reports whether a connection is welcome.
func (c *Conn) Open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.open
}

// Waiting returns how many messages have arrived and were not received.
func (c *Conn) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.in.waiting) + len(c.in.past)
}
