//go:build unix

package live

import "syscall"

// canReadAtOnce reports whether readAtOnce works.
const canReadAtOnce = true

// writeAtOnce writes what the kernel takes at once, and returns how much that is.
func writeAtOnce(fd uintptr, p []byte) int {
	n, err := syscall.Write(int(fd), p)
	if err != nil {
		return 0 // the one that pumps finds out
	}
	return n
}

// readAtOnce reads what is there. It reports whether there was anything, be it an error or the end.
func readAtOnce(fd uintptr, p []byte) (n int, ready bool) {
	for {
		n, err := syscall.Read(int(fd), p)
		if err != syscall.EINTR {
			return n, err != syscall.EAGAIN
		}
	}
}
