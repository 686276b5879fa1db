//go:build !unix

package live

// writeAtOnce writes nothing: everything is left to the one that pumps.
func writeAtOnce(uintptr, []byte) int { return 0 }

// canReadAtOnce reports whether readAtOnce works.
const canReadAtOnce = false

// readAtOnce is for systems whose connections take reads that don't wait.
func readAtOnce(uintptr, []byte) (int, bool) { return 0, true }
