package rowlist

import "hash/maphash"

// Users is a set of user ids, or rather of hashes of them: it may have a few more.
type Users struct {
	seed   maphash.Seed
	hashes map[uint64]struct{}
	few    [1 << filterBits / 64]uint64 // a bit for the end of each hash: most others have none
}

// filterBits is of how many bits of a hash that is said: so much stays in a processor's cache.
const filterBits = 17

// place returns where a hash has its bit.
func (u *Users) place(hash uint64) (word *uint64, bit uint64) {
	return &u.few[hash>>6%uint64(len(u.few))], 1 << (hash & 63)
}

// NewUsers returns an empty set.
func NewUsers() *Users { return &Users{seed: maphash.MakeSeed(), hashes: map[uint64]struct{}{}} }

// Add adds a user.
func (u *Users) Add(id []byte) {
	hash := maphash.Bytes(u.seed, id)
	word, bit := u.place(hash)
	*word |= bit
	u.hashes[hash] = struct{}{}
}

// Has reports whether a user was added.
func (u *Users) Has(id []byte) bool {
	hash := maphash.Bytes(u.seed, id)
	word, bit := u.place(hash)
	if *word&bit == 0 {
		return false
	}
	_, ok := u.hashes[hash]
	return ok
}

// Len returns how many there are.
func (u *Users) Len() int { return len(u.hashes) }
