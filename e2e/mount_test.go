package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// mountSmall mounts a small file system for the owner of a folder, or skips the test: it takes root.
func mountSmall(t *testing.T, owned string) (inside string) {
	t.Helper()
	dir := filepath.Join(publicDir(t), "small")
	must(t, "making a folder", os.Mkdir(dir, 0o700))
	mount := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m,mode=1777", "small", dir)
	if out, err := mount.CombinedOutput(); err != nil {
		t.Skipf("a full disk can't be made here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	inside = filepath.Join(dir, "data")
	must(t, "making a folder", os.Mkdir(inside, 0o700))
	if out, err := exec.Command("chown", "--reference="+owned, inside).CombinedOutput(); err != nil {
		t.Fatalf("chown: %v: %s", err, out)
	}
	return inside
}
