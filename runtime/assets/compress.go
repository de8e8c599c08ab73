package assets

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/molecule-man/go-brrr"
)

// Of files below minCompress bytes, or of which worth percent remain, no smaller form
// is kept.
const (
	minCompress = 512
	worth       = 90
)

// encodings are the ones in which files are kept beside their own bytes.
func encodings() []string { return []string{"br", "gzip"} }

// Compress makes the smaller forms of a file, the smallest first. There are none of
// what is compressed already, or too short.
func Compress(data []byte, kind string) (list []Compressed, err error) {
	if len(data) < minCompress || !compressible(kind) {
		return nil, nil
	}
	for _, encoding := range encodings() {
		small, err := compress(data, encoding)
		if err != nil {
			return nil, fmt.Errorf("compress with %s: %w", encoding, err)
		}
		if len(small) <= len(data)/100*worth {
			list = append(list, Compressed{encoding, small})
		}
	}
	slices.SortStableFunc(list, func(a, b Compressed) int { return len(a.Data) - len(b.Data) })
	return list, nil
}

// Compressed is a form of a file.
type Compressed struct {
	Encoding string
	Data     []byte
}

// quality is that of brotli, and takes less the longer a file is: 4 MiB take about a
// second.
func quality(size int) int {
	switch {
	case size <= 256<<10:
		return 9
	case size <= 4<<20:
		return 7
	}
	return 5
}

func compress(data []byte, encoding string) ([]byte, error) {
	var b bytes.Buffer
	if encoding == "gzip" {
		w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return nil, err
		}
		_, err = w.Write(data)
		err = errors.Join(err, w.Close())
		return b.Bytes(), err
	}
	w, err := brrr.NewWriter(&b, quality(len(data)))
	if err != nil {
		return nil, err
	}
	_, err = w.Write(data)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}
