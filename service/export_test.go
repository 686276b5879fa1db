package service

// LockEverything holds every lock that a query could wait for, until unlock is called.
func LockEverything(registries ...*Registry) (unlock func()) {
	waiting.Lock()
	for _, r := range registries {
		r.mu.Lock()
	}
	return func() {
		for _, r := range registries {
			r.mu.Unlock()
		}
		waiting.Unlock()
	}
}
