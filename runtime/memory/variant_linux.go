package memory

import (
	"errors"
	"fmt"
)

const (
	// mostWords is how many words a Variant may have of its own: 128 KiB of them. An
	// Image that has more is not much of a Variant.
	mostWords = 16 << 10
	// leastTail is from how many pages on, behind all that the base has, a Variant has a
	// memory file for them: less than that is cheaper as words.
	leastTail = 8
)

// variant is an Image that has little beside its base. The zero value is none.
type variant struct {
	base *Image // for all before the offset cut; zeros are behind its end
	tail *Image // for what is there from cut on; may be nil
	cut  int
	size int
	own  words
}

// NewVariant keeps a copy of contents, as NewImage does, by what it has beside base
// where that is little. The base stays open for as long as the Image and its Regions.
func NewVariant(base *Image, contents []byte) (*Image, error) {
	if base.file == nil || len(contents) < base.Size() || len(contents)%pageSize != 0 {
		return NewImage(contents)
	}
	v := variant{base: base, cut: len(contents), size: len(contents)}
	if end := base.used(); pagesUsed(contents[end:]) >= leastTail {
		v.cut = end
	}
	var few bool
	if v.own, few = wordsOf(contents[:v.cut], base, mostWords); !few {
		return NewImage(contents)
	}
	if v.cut < v.size {
		var err error
		if v.tail, err = NewImage(contents[v.cut:]); err != nil {
			return nil, err
		}
	}
	return &Image{variant: v}, nil
}

// pagesUsed counts pages that are not zeros.
func pagesUsed(contents []byte) (n int) {
	for ; len(contents) > 0; contents = contents[pageSize:] {
		if !isZero(contents[:pageSize]) {
			n++
		}
	}
	return n
}

// used is where the last page ends that is not zeros.
func (i *Image) used() int {
	for n := len(i.zero); n > 0; n-- {
		if !i.zero[n-1] {
			return n * pageSize
		}
	}
	return 0
}

// page is the page at an offset, or nil if it is zeros or behind the end.
func (i *Image) page(from int) []byte {
	if from >= len(i.data) || i.zero != nil && i.zero[from/pageSize] {
		return nil
	}
	return i.data[from : from+pageSize]
}

// copyTo is Image.copyTo.
func (v *variant) copyTo(space []byte, from int) int {
	head := space[:max(0, min(v.cut-from, len(space)))]
	shared := 0
	if from < v.base.Size() {
		shared = v.base.copyTo(head[:min(v.base.Size()-from, len(head))], from)
	}
	clear(head[shared:])
	v.own.apply(head, from)
	if v.tail != nil && len(space) > len(head) {
		v.tail.copyTo(space[len(head):], from+len(head)-v.cut)
	}
	return len(space)
}

// mapTo is Image.mapTo. The pages with words of the Variant's own are copied here.
func (v *variant) mapTo(space []byte) error {
	if err := v.base.mapTo(space[:min(v.cut, v.base.Size())]); err != nil {
		return err
	}
	if v.tail != nil {
		if err := v.tail.mapTo(space[v.cut:v.size]); err != nil {
			return err
		}
	}
	v.own.apply(space[:v.size], 0)
	return nil
}

func (v *variant) contents() ([]byte, error) {
	contents, err := v.base.Contents()
	if err != nil {
		return nil, err
	}
	contents = append(contents[:min(v.cut, len(contents))], make([]byte, max(0, v.cut-len(contents)))...)
	if v.tail != nil {
		tail, err := v.tail.Contents()
		if err != nil {
			return nil, fmt.Errorf("read the tail: %w", err)
		}
		contents = append(contents, tail...)
	}
	v.own.apply(contents, 0)
	return contents, nil
}

func (v *variant) resident() int64 {
	n := v.own.size()
	if v.tail != nil {
		n += v.tail.Resident()
	}
	return n
}

func (v *variant) close() (err error) {
	if v.tail != nil {
		err = v.tail.Close()
	}
	v.own = nil
	return err
}

var errVariant = errors.New("an image that is a difference to another one can't be shared with other processes")
