// Package exchange is what all HTTP clients of gleapsync share.
//
// They say in our own words what goes wrong with a request, see [Why] and [Fault]. The texts of
// net/http's errors are not shown: they repeat addresses, header values and status lines, and a
// server, a proxy or a configuration may have put a token or an e-mail address there.
//
// They refuse an answer below status 200, see [Check]: after 101 Switching Protocols its body is
// the open connection, and who read it might wait for ever.
//
// [IsPrivateName] tells whether a host's name is private. Package config asks it of hosts that
// are called without TLS, package serve of the name that it is called by.
package exchange
