// Package bench measures Mayfly against itself and against what surrounds it.
// run.sh runs everything and keeps the results.
package bench
