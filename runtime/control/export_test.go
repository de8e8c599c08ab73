package control

import "time"

// Routes are the method and path of everything below base.
func Routes() (list [][2]string) {
	for _, rt := range new(api).table() {
		list = append(list, [2]string{rt.method, rt.path})
	}
	return list
}

// Failures lets tests count failures from any address.
type Failures = failures

// NewFailures is newFailures.
var NewFailures = newFailures

// Check is check.
func (f *failures) Check(remote, id string, good bool) time.Duration {
	return f.check(remote, id, good)
}

// Remembered is how many addresses, and tokens of addresses, are known.
func (f *failures) Remembered() (addresses, tokens int) { return len(f.from), len(f.good) }

// MaxAddresses is maxAddresses.
const MaxAddresses = maxAddresses
