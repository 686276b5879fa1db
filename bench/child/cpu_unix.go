//go:build unix

package child

import (
	"syscall"
	"time"
)

// cpuTime returns the processor time that this process has used, in the program and in the system.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
