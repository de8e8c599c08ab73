package space

import "golang.org/x/sys/unix"

// Measure looks at the volume that dir is on. Quotas of a user or a directory do
// not show in it on most file systems.
func Measure(dir string) (Volume, error) {
	var st unix.Statfs_t
	for {
		switch err := unix.Statfs(dir, &st); err {
		case nil:
			unit := int64(st.Bsize)
			return Volume{Free: int64(st.Bavail) * unit, Total: int64(st.Blocks) * unit}, nil
		case unix.EINTR:
		default:
			return Volume{}, err
		}
	}
}
