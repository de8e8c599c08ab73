package tomlfile

// Located are the paths that locate finds in a text, for tests.
func Located(text string) (paths map[string]bool, tooDeep bool) {
	places, deep := locate(text)
	paths = map[string]bool{}
	for path, p := range places {
		paths[path] = p.key >= 0 && p.key <= len(text) && p.value >= 0 && p.value <= len(text)
	}
	return paths, deep >= 0
}

// ElementPath is how locate writes the paths of elements.
func ElementPath(array string, i int) string { return elementPath(array, i) }
