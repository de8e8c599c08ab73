// Package bench measures Mayfly against itself and against what surrounds it.
// run.sh runs everything here and keeps the results. Peers are measured by
// peers/run.sh; that is a module of its own, because wasmtime needs a C compiler.
package bench
