package deploy

// HasHost reports whether a Function serves on a host that is named as such: one of
// its own, or one of its Routes without a wildcard.
func (r *Registry) HasHost(host string) bool {
	return r.current.Load().table.HasHost(host)
}
