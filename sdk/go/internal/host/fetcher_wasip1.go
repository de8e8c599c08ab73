package host

import "io"

// fetchers keeps the handle of each binding: opening again would take another.
var fetchers = map[string]int32{}

func openFetcher(binding string) (int32, error) {
	if h, ok := fetchers[binding]; ok {
		return h, nil
	}
	h := fetcherOpen(binding)
	if h < 0 {
		return 0, failure(int64(h))
	}
	fetchers[binding] = h
	return h, nil
}

// FetchFrom is Fetch from what is bound to a name. The error is NotFound if nothing
// is.
func FetchFrom(binding, method, url string, fields []Field, body []byte) (Exchange, error) {
	f, err := openFetcher(binding)
	if err != nil {
		return nil, err
	}
	block, err := AppendFields(nil, fields)
	if err != nil {
		return nil, err
	}
	return begun(fetcherSend(f, method, url, view(block), view(body)))
}

// FetchStreamFrom is FetchStream from what is bound to a name.
func FetchStreamFrom(binding, method, url string, fields []Field) (Exchange, io.WriteCloser, error) {
	f, err := openFetcher(binding)
	if err != nil {
		return nil, nil, err
	}
	block, err := AppendFields(nil, fields)
	if err != nil {
		return nil, nil, err
	}
	return begunStream(fetcherStream(f, method, url, view(block)))
}

// RateLimit counts one event and reports whether it was within the limit. The error
// is NotFound if no limit is bound to the name.
func RateLimit(binding, key string) (bool, error) {
	within := rateLimit(binding, key)
	return within == 1, failure(int64(within))
}
