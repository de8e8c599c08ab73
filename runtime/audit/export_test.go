package audit

// File is what a Log writes to.
type File = file

// NewLog is Open with a file that is empty.
func NewLog(cfg Config, f File) *Log {
	l := newLog(cfg, f)
	l.prev = random()
	return l
}
