package audit

import (
	"bufio"
	"crypto/hmac"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mayfly-run/mayfly/host/secret"
)

// Summary is what a log has.
type Summary struct {
	Entries     int
	First, Last Entry
	Signed      int // entries with a MAC
}

// BrokenError says where the chain of a log breaks.
type BrokenError struct {
	File   string // empty if it is not known
	Line   int    // the first is 1
	Reason string
}

func (e *BrokenError) Error() string {
	text := fmt.Sprintf("the log is broken at line %d, which %s", e.Line, e.Reason)
	if e.File != "" {
		return e.File + ": " + text
	}
	return text
}

// Check says what a log has to be beside a chain. The zero value wants a log from its
// first entry on, and looks at no MAC.
type Check struct {
	Rest bool // files before the first may be elsewhere
	// Keys are those that entries may be signed with. With one, the last entry must be
	// signed, and all that follow a signed one.
	Keys []secret.Key
}

// Read is Check.Read for a log in one piece.
func Read(from io.Reader, do func(Entry) error) (Summary, error) {
	r := reader{do: do}
	err := r.read(from)
	return r.Summary, err
}

// Files are those of a log, in their order: PATH.1, PATH.2 and so on, and PATH.
func Files(path string) (files []string, err error) {
	numbers, err := rotated(path)
	for _, n := range numbers {
		files = append(files, number(path, n))
	}
	return append(files, path), err
}

func number(path string, n int) string { return path + "." + strconv.Itoa(n) }

// rotated are the numbers of the files before the one that is written.
func rotated(path string) (numbers []int, err error) {
	all, err := os.ReadDir(filepath.Dir(path))
	for _, f := range all {
		text, ok := strings.CutPrefix(f.Name(), filepath.Base(path)+".")
		if n, err := strconv.Atoi(text); ok && err == nil && n > 0 && strconv.Itoa(n) == text {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, err
}

// Read reads the files of a log, checks its chain and calls do with each entry. It
// stops at the first line that does not fit with a *BrokenError, and at an error of
// do.
func (c Check) Read(path string, do func(Entry) error) (Summary, error) {
	files, err := Files(path)
	if err != nil {
		return Summary{}, err
	}
	r := reader{check: c, do: do}
	for _, file := range files {
		if err := r.readFile(file); err != nil {
			return r.Summary, err
		}
	}
	if len(c.Keys) > 0 && r.Entries > 0 && r.Last.MAC == "" {
		return r.Summary, errors.New("the log's chain holds, but its last entry is not signed: it was written without the key, or anew by somebody who does not have it")
	}
	return r.Summary, nil
}

// reader follows a log through its files.
type reader struct {
	Summary
	check Check
	do    func(Entry) error
	prev  string
	line  int // of the file
}

func (r *reader) readFile(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("open audit log: %w", err)
	}
	defer f.Close()
	r.line = 0
	err = r.read(f)
	if broken, ok := errors.AsType[*BrokenError](err); ok {
		broken.File = file
	}
	return err
}

func (r *reader) read(from io.Reader) error {
	lines := bufio.NewReaderSize(from, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == io.EOF && len(line) == 0:
			return nil
		case err == io.EOF:
			return r.broken("is not complete: the node ended while it wrote it, which its next start mends, or writes it now")
		case errors.Is(err, bufio.ErrBufferFull):
			return r.broken(errDamaged.Error())
		case err != nil:
			return fmt.Errorf("read log: %w", err)
		}
		if err := r.next(line[:len(line)-1]); err != nil {
			return err
		}
	}
}

func (r *reader) broken(reason string) error { return &BrokenError{Line: r.line + 1, Reason: reason} }

func (r *reader) next(line []byte) error {
	e, err := decode(line)
	if err == nil {
		err = r.follows(e)
	}
	if err != nil {
		return r.broken(err.Error())
	}
	r.prev = digest(line)
	if r.Last = e; r.Entries == 0 {
		r.First = e
	}
	if r.Entries++; e.MAC != "" {
		r.Signed++
	}
	r.line++
	return r.do(e)
}

// follows compares an entry with those before it.
func (r *reader) follows(e Entry) error {
	want := r.First.Seq + uint64(r.Entries)
	if r.check.Rest && r.Entries == 0 {
		want = e.Seq
	}
	switch {
	case e.Seq != want:
		return fmt.Errorf("has number %d instead of %d: lines are missing, or in another order", e.Seq, want)
	case r.Entries > 0 && e.Prev != r.prev:
		return errors.New("does not follow the line before: that one was exchanged")
	case len(r.check.Keys) == 0:
		return nil
	case e.MAC == "" && r.Signed > 0:
		return errors.New("is not signed, unlike lines before it")
	case e.MAC != "" && !slices.ContainsFunc(r.check.Keys, func(k secret.Key) bool { return hmac.Equal([]byte(e.MAC), []byte(macOf(k, e.Sum))) }):
		return errors.New("was signed with another key, or changed and signed by somebody who does not have it")
	}
	return nil
}
