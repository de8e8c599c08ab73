// Package torture does to a whole node what its users are afraid of, and counts
// what comes of it. Its tests start the built program as a process of its own.
// They run in a short form with all other tests, and in a long one under
// MAYFLY_TORTURE=1, which make torture sets.
package torture
