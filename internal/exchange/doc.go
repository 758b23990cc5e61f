// Package exchange is what all HTTP clients of gleapsync share: an answer that is none does
// not get to whoever would read it, and what goes wrong is said in our own words. The texts
// of errors of net/http hold addresses, header values and status lines, so anything that a
// server, a proxy or a configuration wrote: a token that is repeated, an e-mail address.
//
// It also knows which names of hosts are private, for those who call and for who is called.
package exchange
