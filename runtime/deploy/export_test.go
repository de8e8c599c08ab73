package deploy

// Loaded are the names of Functions whose Snapshots are in memory.
func (r *Registry) Loaded() (names []string) {
	for _, a := range r.loaded() {
		names = append(names, a.Function)
	}
	return names
}

// Bytes is how much of Config.CodeMemory is taken.
func (r *Registry) Bytes() int64 { return r.cfg.Runtime.Bytes() }
