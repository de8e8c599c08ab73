package badgerkv

func DamagedWithin(data []byte) bool { return damagedWithin(data) }

// ReadLog says how many bytes of a log of recent writes are whole commits, whether
// acknowledged writes follow, and which bit is flipped (-1: none, or not only one).
func ReadLog(data []byte) (at int, damaged bool, flipped int) {
	l := readLog(data)
	return l.at, l.damaged, l.flipped
}
