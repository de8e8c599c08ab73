//go:build linux

package memory

// What tests reach.
var CopiedImage = copiedImage

const KeepMax = keepMax
