package tomlfile

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// maxFindings bounds how many errors, and how many warnings, of one file are
// told.
const maxFindings = 20

// Error is one thing wrong in a file that a user wrote.
type Error struct {
	File   string
	Line   int // from 1
	Column int // from 1, in characters
	Msg    string
}

// Error is "file:line:column: message".
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg)
}

// Report collects what is wrong in a text, which need not be TOML. It is not
// safe for concurrent use.
type Report struct {
	file, text    string
	ends          []int // offset of the end of each line but the last
	wrong, doubts []finding
}

type finding struct {
	at  int // byte offset in the text
	msg string
}

// NewReport returns a Report without findings. file is what errors call the
// text.
func NewReport(file, text string) *Report {
	r := &Report{file: file, text: text}
	for i := range len(text) {
		if text[i] == '\n' {
			r.ends = append(r.ends, i)
		}
	}
	return r
}

// Addf adds an error at a byte offset of the text.
func (r *Report) Addf(at int, format string, args ...any) {
	r.wrong = append(r.wrong, r.finding(at, format, args))
}

// Warnf adds a warning at a byte offset of the text.
func (r *Report) Warnf(at int, format string, args ...any) {
	r.doubts = append(r.doubts, r.finding(at, format, args))
}

func (r *Report) finding(at int, format string, args []any) finding {
	return finding{min(max(at, 0), len(r.text)), fmt.Sprintf(format, args...)}
}

// Redact lets hide change the text of each error and warning so far, for those
// that would tell what must not be told, or drop it by returning "". It gets the
// byte offset, and errors in the order in which they were added.
func (r *Report) Redact(hide func(at int, msg string) string) {
	for _, found := range []*[]finding{&r.wrong, &r.doubts} {
		kept := (*found)[:0]
		for _, f := range *found {
			if f.msg = hide(f.at, f.msg); f.msg != "" {
				kept = append(kept, f)
			}
		}
		*found = kept
	}
}

// CheckUTF8 reports whether the text is UTF-8, and where it is not.
func (r *Report) CheckUTF8() bool {
	if utf8.ValidString(r.text) {
		return true
	}
	for i, c := range r.text {
		if _, size := utf8.DecodeRuneInString(r.text[i:]); c == utf8.RuneError && size == 1 {
			r.Addf(i, "the byte 0x%02x is not UTF-8", r.text[i])
			break
		}
	}
	return false
}

// LineOf is the number of the line that a byte offset is in, from 1.
func (r *Report) LineOf(at int) int { return sort.SearchInts(r.ends, at) + 1 }

// Err is nil, or the first 20 errors in the order of the text: errors.Join of
// *Error.
func (r *Report) Err() error {
	var errs []error
	for _, e := range r.inOrder(r.wrong) {
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// Warnings are the first 20 warnings in the order of the text, written as
// errors are.
func (r *Report) Warnings() []string {
	var texts []string
	for _, e := range r.inOrder(r.doubts) {
		texts = append(texts, e.Error())
	}
	return texts
}

func (r *Report) inOrder(found []finding) []*Error {
	slices.SortStableFunc(found, func(a, b finding) int { return a.at - b.at })
	var list []*Error
	for _, f := range found[:min(len(found), maxFindings)] {
		start := strings.LastIndexByte(r.text[:f.at], '\n') + 1
		column := utf8.RuneCountInString(r.text[start:f.at]) + 1
		list = append(list, &Error{File: r.file, Line: r.LineOf(f.at), Column: column, Msg: f.msg})
	}
	return list
}
