package deploy

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// maxFindings bounds how many errors of one file are told at once.
const maxFindings = 20

// FileError is one thing wrong in a file that a user wrote.
type FileError struct {
	File   string
	Line   int // from 1
	Column int // from 1, in characters
	Msg    string
}

// Error is "file:line:column: message".
func (e *FileError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg)
}

// report collects what is wrong in a text.
type report struct {
	file, text string
	ends       []int // offset of the end of each line but the last
	found      []finding
}

type finding struct {
	at  int // byte offset in the text
	msg string
}

func newReport(file, text string) report {
	r := report{file: file, text: text}
	for i := range len(text) {
		if text[i] == '\n' {
			r.ends = append(r.ends, i)
		}
	}
	return r
}

func (r *report) addf(at int, format string, args ...any) {
	at = min(max(at, 0), len(r.text))
	r.found = append(r.found, finding{at, fmt.Sprintf(format, args...)})
}

// failure is nil, or the first findings in the order of the text.
func (r *report) failure() error {
	slices.SortStableFunc(r.found, func(a, b finding) int { return a.at - b.at })
	var errs []error
	for _, f := range r.found[:min(len(r.found), maxFindings)] {
		start := strings.LastIndexByte(r.text[:f.at], '\n') + 1
		column := utf8.RuneCountInString(r.text[start:f.at]) + 1
		errs = append(errs, &FileError{File: r.file, Line: r.lineOf(f.at), Column: column, Msg: f.msg})
	}
	return errors.Join(errs...)
}

// lineOf is the number of the line that a byte offset is in.
func (r *report) lineOf(at int) int { return sort.SearchInts(r.ends, at) + 1 }
