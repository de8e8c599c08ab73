package deploy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// piece is a part of a value: plain text, or a reference.
type piece struct {
	kind       string // "env" or "file"; "" for plain text
	text       string // the name, the path, or the plain text
	otherwise  string // what stands after ":-"
	hasDefault bool
}

// String is the reference as it is written, without its default.
func (p piece) String() string { return "${" + p.kind + ":" + p.text + "}" }

// splitReferences cuts a value into pieces. "${" that begins none of the known
// kinds is plain text.
func splitReferences(text string) (pieces []piece, err error) {
	plain := &strings.Builder{}
	flush := func() {
		if plain.Len() > 0 {
			pieces = append(pieces, piece{text: plain.String()})
			plain.Reset()
		}
	}
	for text != "" {
		if rest, ok := strings.CutPrefix(text, "$${"); ok {
			plain.WriteString("${")
			text = rest
			continue
		}
		kind, rest, ok := cutKind(text)
		if !ok {
			plain.WriteByte(text[0])
			text = text[1:]
			continue
		}
		inside, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, fmt.Errorf(`${%s: has no "}" at its end; write $${%s: if no reference is meant`, kind, kind)
		}
		p := piece{kind: kind}
		p.text, p.otherwise, p.hasDefault = strings.Cut(inside, ":-")
		if err := p.check(); err != nil {
			return nil, err
		}
		flush()
		pieces, text = append(pieces, p), after
	}
	flush()
	return pieces, nil
}

func cutKind(text string) (kind, rest string, ok bool) {
	for _, kind := range []string{"env", "file"} {
		if rest, ok := strings.CutPrefix(text, "${"+kind+":"); ok {
			return kind, rest, true
		}
	}
	return "", text, false
}

// check checks the form of a reference.
func (p piece) check() error {
	switch {
	case p.kind == "env" && !isIdentifier(p.text):
		return fmt.Errorf("%.80s names no variable: letters, digits and underscores, no digit first", p)
	case p.kind == "file" && p.text == "":
		return errors.New("${file:} names no file")
	case p.kind == "file" && !filepath.IsLocal(filepath.FromSlash(p.text)):
		return fmt.Errorf("%.200s is not below the manifest's folder, and only what is there is read", p)
	}
	return nil
}

// get is the text that a reference stands for. Errors don't have it.
func (res Resolver) get(p piece) (string, error) {
	if p.kind == "file" {
		return res.file(p)
	}
	var text string
	set := false
	if res.Env != nil {
		text, set = res.Env(p.text)
	}
	switch {
	case p.hasDefault && text == "":
		return p.otherwise, nil
	case !set:
		return "", fmt.Errorf("%s is not set in the environment; set it, or write ${env:%s:-text} to have a text without it", p.text, p.text)
	case !utf8.ValidString(text):
		return "", fmt.Errorf("%s is not UTF-8 in the environment", p.text)
	}
	return text, nil
}

func (res Resolver) file(p piece) (string, error) {
	if res.Dir == "" {
		return "", fmt.Errorf("%s: there are no files here", p)
	}
	data, err := readInside(res.Dir, filepath.FromSlash(p.text))
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.hasDefault:
		return p.otherwise, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no file %s below the manifest's folder; make it, or write ${file:%s:-text} to have a text without it", p.text, p.text)
	case err != nil:
		return "", fmt.Errorf("%s can't be read: %w", p, err)
	case len(data) > maxReference:
		return "", fmt.Errorf("the file %s has more than %d bytes", p.text, maxReference)
	case !utf8.Valid(data):
		return "", fmt.Errorf("the file %s is not UTF-8", p.text)
	}
	if text, ok := strings.CutSuffix(string(data), "\n"); ok {
		return strings.TrimSuffix(text, "\r"), nil
	}
	return string(data), nil
}

// readInside reads a file below dir, up to one byte more than it may have. Links
// that lead out of dir are not followed, and what is no plain file is not opened:
// it could wait for ever.
func readInside(dir, path string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no plain file")
	}
	f, err := root.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxReference+1))
}
