//go:build unix

package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"sync"
	"syscall"
)

var errNoUser = errors.New("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody to run as")

// credential returns whom to run as where we are root; nil is ourselves.
var credential = sync.OnceValues(func() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errNoUser
})

func dropRights(cmd *exec.Cmd) {
	who, _ := credential() // giveAway has returned the error
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setsid: true}
}

// giveAway hands a file to whom commands run as.
func giveAway(name string) error {
	who, err := credential()
	if who == nil {
		return err
	}
	return os.Chown(name, int(who.Uid), int(who.Gid))
}
