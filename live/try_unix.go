//go:build unix

package live

import "syscall"

// writeAtOnce writes what the kernel takes at once, and returns how much that is.
func writeAtOnce(fd uintptr, p []byte) int {
	n, err := syscall.Write(int(fd), p)
	if err != nil {
		return 0 // the one that pumps finds out
	}
	return n
}
