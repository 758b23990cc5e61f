package exchange

import "strings"

// IsPrivateName reports whether a host's name, in lower case, is one that no public name
// server has: without a dot, or in .svc or .local as names in a Kubernetes cluster are.
// Addresses are no names.
func IsPrivateName(host string) bool {
	return !strings.ContainsAny(host, ".@") || strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".local")
}
