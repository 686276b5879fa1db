package child

import (
	"context"
	"os/exec"
	"runtime"
	"strconv"
)

const (
	serverCore    = 0
	generatorCore = 1
)

// Generator returns the command of a load generator that doesn't take the servers' time.
func Generator(ctx context.Context, program string, args ...string) *exec.Cmd {
	return onCore(ctx, generatorCore, program, args...)
}

// onCore returns a command that is bound to one core where the system has taskset and cores enough, so that server and
// generator don't take each other's time. Elsewhere GOMAXPROCS alone has to do.
func onCore(ctx context.Context, core int, program string, args ...string) *exec.Cmd {
	taskset, err := exec.LookPath("taskset")
	if err != nil || runtime.NumCPU() <= generatorCore {
		return exec.CommandContext(ctx, program, args...)
	}
	return exec.CommandContext(ctx, taskset, append([]string{"--cpu-list", strconv.Itoa(core), program}, args...)...)
}
