package service

// LockEverything takes every lock that a query could wait for. The caller must call unlock.
func LockEverything(registries ...*Registry) (unlock func()) {
	for _, r := range registries {
		r.mu.Lock()
	}
	return func() {
		for _, r := range registries {
			r.mu.Unlock()
		}
	}
}
