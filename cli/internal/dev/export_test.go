package dev

// What tests ask without files being changed.
var (
	Ignored = ignored
	Watched = watched
)
