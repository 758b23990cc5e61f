// Package apitest has only a test: it applies the manifests of deploy/kubernetes to a real API
// server of Kubernetes with etcd below it, and lets the controllers make Jobs and pods of them.
// There are no nodes, so no pod runs. It is a module of its own, since Kubernetes is large and
// takes minutes to build.
package apitest
