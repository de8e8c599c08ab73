package badgerkv

// DamagedWithin is for the fuzz target.
func DamagedWithin(data []byte) bool { return damagedWithin(data) }
