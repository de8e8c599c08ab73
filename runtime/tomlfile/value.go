package tomlfile

import (
	"fmt"
	"strconv"
	"time"
)

// Want reports a value of the wrong type or range; what says what belongs there.
func (f *File) Want(it Item, what string) {
	f.BadValue(it, "%s wants %s, not %s", it.Name, what, describe(it.Value))
}

// WantText is Want for strings that have to be of some form: it shows the one
// that is there.
func (f *File) WantText(it Item, what string) {
	shown := describe(it.Value)
	if s, ok := it.Value.(string); ok && s != "" {
		shown = strconv.Quote(s)
	}
	f.BadValue(it, "%s wants %s, not %s", it.Name, what, shown)
}

func describe(value any) string {
	switch v := value.(type) {
	case string:
		if v == "" {
			return "an empty string"
		}
		return "a string"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return "a date without quotes"
	case map[string]any:
		return "a table"
	}
	return "a list"
}

// Text reads a string that is not empty.
func (f *File) Text(it Item) (string, bool) {
	s, ok := it.Value.(string)
	if !ok || s == "" {
		f.Want(it, "a string")
	}
	return s, ok && s != ""
}

// TextTo returns a reader of strings that are not empty.
func (f *File) TextTo(to *string) func(Item) {
	return func(it Item) {
		if s, ok := f.Text(it); ok {
			*to = s
		}
	}
}

// IntegerTo returns a reader of whole numbers from least to most.
func (f *File) IntegerTo(to *int64, least, most int64) func(Item) {
	return func(it Item) {
		n, ok := it.Value.(int64)
		if !ok || n < least || n > most {
			f.Want(it, fmt.Sprintf("a whole number from %d to %d", least, most))
			return
		}
		*to = n
	}
}

// BoolTo returns a reader of true and false.
func (f *File) BoolTo(to *bool) func(Item) {
	return func(it Item) {
		b, ok := it.Value.(bool)
		if !ok {
			f.Want(it, "true or false")
			return
		}
		*to = b
	}
}
