// Package trigger starts Invocations. http.go is the front end: what comes in
// from the network is checked in check.go, described to the guest in request.go,
// and answered in respond.go, or in detached.go where the guest goes on after
// its answer began.
package trigger
