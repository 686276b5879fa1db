package mem

import "math/bits"

// A lockSet is shards that are locked together, in the order of their numbers. It is a set of bits, so that it takes no
// memory of its own.
type lockSet [shardCount / 64]uint64

func (l *lockSet) add(sh *shard) { l[sh.number/64] |= 1 << (sh.number % 64) }

func (l *lockSet) has(sh *shard) bool { return l[sh.number/64]&(1<<(sh.number%64)) != 0 }

func (l *lockSet) lock(s *shards) {
	for at, word := range l {
		for ; word != 0; word &= word - 1 {
			s.all[at*64+bits.TrailingZeros64(word)].lock()
		}
	}
}

func (l *lockSet) unlock(s *shards) {
	for at, word := range l {
		for ; word != 0; word &= word - 1 {
			s.all[at*64+bits.TrailingZeros64(word)].unlock()
		}
	}
}
