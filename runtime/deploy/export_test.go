package deploy

// Loaded are the names of Functions whose Snapshots are in memory.
func (r *Registry) Loaded() (names []string) {
	for _, a := range r.loaded() {
		names = append(names, a.Function)
	}
	return names
}
