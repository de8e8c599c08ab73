package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// tail is the end of a log.
type tail struct {
	line []byte // the last one that is complete
	last Entry
	good int64 // bytes up to its end
	torn int64 // bytes after it
}

// readTail looks at the last lines alone: a log may be long.
func readTail(f *os.File) (t tail, err error) {
	info, err := f.Stat()
	if err != nil {
		return t, err
	}
	from := max(0, info.Size()-2*maxLine)
	data := make([]byte, info.Size()-from)
	if _, err := f.ReadAt(data, from); err != nil && err != io.EOF {
		return t, err
	}
	for {
		end := bytes.LastIndexByte(data, '\n')
		if end < 0 {
			break
		}
		begin := bytes.LastIndexByte(data[:end], '\n') + 1
		t.line = data[begin:end]
		if t.last, err = decode(t.line); err == nil {
			t.good = from + int64(end) + 1
			t.torn = info.Size() - t.good
			return t, nil
		}
		if bytes.IndexByte(t.line, 0) < 0 { // not what a power cut leaves
			return t, fmt.Errorf("its last line %w; move it away to keep it as it is, and the node begins another", errDamaged)
		}
		data = data[:begin]
	}
	if from > 0 || len(data) > 0 && data[0] != '{' && data[0] != 0 {
		return t, errors.New("it is no audit log, or its end is damaged; move it away to keep it as it is, and the node begins another")
	}
	return tail{torn: info.Size()}, nil
}
