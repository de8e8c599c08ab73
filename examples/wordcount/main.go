// Wordcount takes texts at once and counts their words later, many texts at a time:
// POST / gives it one, GET /WORD says how often a word came.
package main

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/mayfly-run/mayfly/sdk/go"
)

var (
	texts  = mayfly.Queue("TEXTS")
	counts = mayfly.KV("COUNTS")
)

func init() {
	mayfly.Handle(handle)
	mayfly.HandleQueue(countBatch)
}

func handle(req *mayfly.Request) (*mayfly.Response, error) {
	switch req.Method() {
	case "GET":
		n, _, err := read(strings.TrimPrefix(req.Path(), "/"))
		return mayfly.Text(200, strconv.Itoa(n)+"\n"), err
	case "POST":
		return accept(req)
	}
	return mayfly.Text(405, "GET or POST, please\n").With("allow", "GET, POST"), nil
}

func accept(req *mayfly.Request) (*mayfly.Response, error) {
	text, err := io.ReadAll(req.Body())
	if err != nil {
		return nil, err
	}
	err = texts.Send(mayfly.BytesMessage(text))
	if errors.Is(err, mayfly.ErrTooLarge) {
		return mayfly.Text(413, "at most 128,000 bytes, please\n"), nil
	}
	return mayfly.Text(202, "counted soon\n"), err
}

// maxWord is the longest word that is counted, in bytes.
const maxWord = 100

// countBatch adds up the words of a batch, so that each word is written once. A text may
// come twice, and is counted twice then: see the README.
func countBatch(b *mayfly.Batch) error {
	words := map[string]int{}
	for _, m := range b.Messages {
		for word := range strings.FieldsFuncSeq(strings.ToLower(string(m.Body)), notLetter) {
			if len(word) <= maxWord {
				words[word]++
			}
		}
	}
	for word, n := range words {
		if err := add(word, n); err != nil {
			return err // the batch comes again
		}
	}
	return nil
}

func notLetter(r rune) bool { return !unicode.IsLetter(r) }

// read returns the count of a word and the revision it was stored with.
func read(word string) (n int, revision int64, err error) {
	entry, err := counts.Get(word)
	if errors.Is(err, mayfly.ErrNotFound) || errors.Is(err, mayfly.ErrInvalid) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	n, err = strconv.Atoi(string(entry.Value))
	return n, entry.Revision, err
}

// add adds to a count. Where another batch was faster, it tries again.
func add(word string, more int) error {
	for {
		n, revision, err := read(word)
		if err != nil {
			return err
		}
		_, err = counts.Put(word, strconv.AppendInt(nil, int64(n+more), 10), mayfly.IfRevision(revision))
		if !errors.Is(err, mayfly.ErrConflict) {
			return err
		}
	}
}

func main() {} // required by Go, never called
