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

var errNoUser = errors.New("PostgreSQL refuses to run as root, and neither a user postgres nor a user nobody exists")

// credential returns the user for the commands if the tests run as root. Otherwise it returns nil: commands then run as
// the user of the tests.
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
	cred, _ := credential() // giveAway has returned the error
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Setsid: true}
}

// giveAway makes the user of the commands the owner of a file.
func giveAway(name string) error {
	cred, err := credential()
	if cred == nil {
		return err
	}
	return os.Chown(name, int(cred.Uid), int(cred.Gid))
}
