package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Summary is what a log has.
type Summary struct {
	Entries     int
	First, Last Entry
}

// BrokenError says where the chain of a log breaks.
type BrokenError struct {
	Line   int // the first is 1
	Reason string
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("the log is broken at line %d, which %s", e.Line, e.Reason)
}

// Read reads a log, checks its chain and calls do with each entry. It stops at
// the first line that does not fit with a *BrokenError, and at an error of do.
func Read(from io.Reader, do func(Entry) error) (s Summary, err error) {
	lines := bufio.NewReaderSize(from, maxLine)
	prev := ""
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == io.EOF && len(line) == 0:
			return s, nil
		case err == io.EOF:
			return s, &BrokenError{s.Entries + 1, "is not complete: the node ended while it wrote it, which its next start mends, or writes it now"}
		case errors.Is(err, bufio.ErrBufferFull):
			return s, &BrokenError{s.Entries + 1, errDamaged.Error()}
		case err != nil:
			return s, fmt.Errorf("read log: %w", err)
		}
		e, err := follow(line[:len(line)-1], s.Entries, prev)
		if err != nil {
			return s, &BrokenError{s.Entries + 1, err.Error()}
		}
		prev = digest(line[:len(line)-1])
		if s.Last = e; s.Entries == 0 {
			s.First = e
		}
		s.Entries++
		if err := do(e); err != nil {
			return s, err
		}
	}
}

// follow decodes the n-th line and compares it with what the one before says.
func follow(line []byte, n int, prev string) (Entry, error) {
	e, err := decode(line)
	switch {
	case err != nil:
		return e, err
	case e.Seq != uint64(n):
		return e, fmt.Errorf("has number %d instead of %d: lines are missing, or in another order", e.Seq, n)
	case n > 0 && e.Prev != prev:
		return e, errors.New("does not follow the line before: that one was exchanged")
	}
	return e, nil
}
