package pglog

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// lock returns the number of an advisory lock. Two names have the same number by chance once in 2^64 times, and then
// one waits for the other.
func (s *settings) lock(purpose, name string) int64 {
	sum := sha256.Sum256([]byte(s.place() + "\x00" + purpose + "\x00" + name))
	return int64(binary.LittleEndian.Uint64(sum[:]))
}

// locks returns the numbers of several, in the order in which all transactions take them.
func (s *settings) locks(purpose string, names []string) []int64 {
	all := make([]int64, len(names))
	for i, name := range names {
		all[i] = s.lock(purpose, name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// distinct sorts names, each one once.
func distinct(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
