// Package outside makes texts fit to be shown that others wrote: a server, a command, a
// library. They may hold secrets and personal data, see [Cleaner].
package outside
