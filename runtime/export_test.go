package runtime

// Codes is how many compiled artefacts are in memory.
func (r *Runtime) Codes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.codes)
}

// Idle is how many Instances wait for a request.
func (s *Snapshot) Idle() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.idle)
}

var DecodeSnapshot = func(data []byte) error {
	_, _, err := decodeSnapshot(data)
	return err
}
