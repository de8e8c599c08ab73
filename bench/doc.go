// Package bench measures Mayfly against itself and against what surrounds it.
// run.sh runs everything on one node and keeps the results, cluster.sh what needs
// several. Peers are measured by peers/run.sh; that is a module of its own, because
// wasmtime needs a C compiler.
package bench
