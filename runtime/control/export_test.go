package control

// Routes are the method and path of everything below base.
func Routes() (list [][2]string) {
	for _, rt := range new(api).table() {
		list = append(list, [2]string{rt.method, rt.path})
	}
	return list
}
