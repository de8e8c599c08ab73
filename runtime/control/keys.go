package control

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/mayfly-run/mayfly/kv"
)

type keyJSON struct {
	Name       string `json:"name"`
	Expiration int64  `json:"expiration,omitempty"` // seconds since 1970
	Metadata   any    `json:"metadata,omitempty"`
}

func listKeys(r *request) error {
	store, err := r.readable()
	if err != nil {
		return err
	}
	q := r.URL.Query()
	opts := kv.ListOptions{Prefix: q.Get("prefix"), Cursor: q.Get("cursor")}
	if opts.Limit, err = listLimit(q.Get("limit")); err != nil {
		return err
	}
	if err := kv.CheckKeyPrefix(opts.Prefix); err != nil {
		return err
	}
	page, err := store.List(r.Context(), opts)
	if err != nil {
		return err
	}
	list := make([]keyJSON, 0, len(page.Entries))
	for _, e := range page.Entries {
		k := keyJSON{Name: e.Key, Metadata: jsonOrNil(e.Metadata)}
		if !e.Expires.IsZero() {
			k.Expiration = e.Expires.Unix()
		}
		list = append(list, k)
	}
	return r.page(list, &resultInfo{Count: len(list), Cursor: &page.Cursor})
}

// listLimit reads how many keys a page may have.
func listLimit(text string) (int, error) {
	if text == "" {
		return kv.UserMaxList, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, &kv.LimitError{Status: http.StatusBadRequest,
			Msg: fmt.Sprintf("Invalid key_count_limit of %s. Please specify an integer greater than 0.", text)}
	}
	return n, kv.CheckListLimit(n)
}
