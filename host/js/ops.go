package js

import "slices"

// operation is what JavaScript can ask the host to do. Its name is a constant of
// the platform with its number.
type operation struct {
	name string
	do   func(*query) (kind, error)
}

// The operations that the engine itself needs, by their place in operations.
const (
	OpPlatform     = 0
	OpPlatformName = 1
	OpSource       = 2
)

var operations = slices.Concat(
	programOps,
	requestOps,
	miscOps,
	textOps,
	encodingOps,
	cryptoOps,
	subtleOps,
	compressOps,
	rewriteOps,
	cacheOps,
	urlOps,
	kvOps,
	fetchOps,
	bodyOps,
	scheduledOps,
	changeOps,
	queueOps,
)

var programOps = []operation{
	{"opPlatform", func(q *query) (kind, error) { return q.give(q.platform) }},
	{"opPlatformName", func(q *query) (kind, error) { return q.give(platformName) }},
	{"opSource", source},
	{"opProgram", program},
	{"opUnloaded", unloaded},
	{"opBindings", bindings},
	{"opFailed", failed},
	{"opHandlers", handlers},
}
