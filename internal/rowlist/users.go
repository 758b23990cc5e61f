package rowlist

import "hash/maphash"

// Users is a set of user ids, or rather of hashes of them: it may have a few more.
type Users struct {
	seed   maphash.Seed
	hashes map[uint64]struct{}
}

// NewUsers returns an empty set.
func NewUsers() *Users { return &Users{maphash.MakeSeed(), map[uint64]struct{}{}} }

// Add adds a user.
func (u *Users) Add(id []byte) { u.hashes[maphash.Bytes(u.seed, id)] = struct{}{} }

// Has reports whether a user was added.
func (u *Users) Has(id []byte) bool {
	_, ok := u.hashes[maphash.Bytes(u.seed, id)]
	return ok
}

// Len returns how many there are.
func (u *Users) Len() int { return len(u.hashes) }
