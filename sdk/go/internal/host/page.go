package host

// recordHead is the size of a record's fixed part: key length u32, metadata
// length u32, revision u64, expiry u64, all little-endian.
const recordHead = 24

// ParsePage reads a page of a KV listing.
func ParsePage(page []byte) ([]Entry, error) {
	var entries []Entry
	for len(page) > 0 {
		if len(page) < recordHead {
			return nil, errPage
		}
		key, metadata := number(page[:4]), number(page[4:8])
		rest := page[recordHead:]
		if key+metadata > uint64(len(rest)) {
			return nil, errPage
		}
		entries = append(entries, Entry{
			Key:      string(rest[:key]),
			Metadata: rest[key : key+metadata : key+metadata],
			Revision: int64(number(page[8:16])),
			Expires:  int64(number(page[16:24])),
		})
		page = rest[key+metadata:]
	}
	return entries, nil
}

// number reads little-endian. encoding/binary would do it too, but links
// reflect into every module.
func number(b []byte) (n uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	return n
}

var errPage = &Error{Internal, "malformed page of a listing"}
