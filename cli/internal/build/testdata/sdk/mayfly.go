// Package mayfly stands in for the SDK where a test only needs its import path.
package mayfly
