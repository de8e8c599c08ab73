package control

import "strconv"

// Sizes of pages that are counted by number.
const (
	defaultPerPage = 20
	maxPerPage     = 1000
)

// paginate cuts out the page that the query asks for.
func paginate[T any](r *request, all []T) ([]T, *resultInfo, error) {
	page, err := queryInt(r, "page", 1, 1, 1<<30)
	if err != nil {
		return nil, nil, err
	}
	perPage, err := queryInt(r, "per_page", defaultPerPage, 1, maxPerPage)
	if err != nil {
		return nil, nil, err
	}
	total := len(all)
	start := min((page-1)*perPage, total)
	part := all[start:min(start+perPage, total)]
	return part, &resultInfo{
		Page: page, PerPage: perPage, Count: len(part), TotalCount: &total,
		TotalPages: (total + perPage - 1) / perPage,
	}, nil
}

func queryInt(r *request, name string, otherwise, least, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, badRequest("%s is %q; a number from %d to %d is expected", name, text, least, most)
	}
	return n, nil
}
