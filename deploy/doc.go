// Package deploy has only tests: they hold the manifests, units, rules and the dashboard
// beside it against the types and the tools that will read them, and against the program.
// It is a module of its own, so that the program does not depend on Kubernetes.
package deploy
