package tomlfile

// ReplaceStrings puts in the place of each string in a table or list, however
// deep, what replace returns for it. Places stay those of the text.
func (f *File) ReplaceStrings(it Item, replace func(Item) string) {
	switch v := it.Value.(type) {
	case map[string]any:
		for _, child := range f.children(it, v) {
			v[child.Key] = f.replaced(child, replace)
		}
	case []any:
		for i, child := range f.Elements(it, "values") {
			v[i] = f.replaced(child, replace)
		}
	case []map[string]any:
		for _, child := range f.Elements(it, "tables") {
			f.ReplaceStrings(child, replace)
		}
	}
}

func (f *File) replaced(it Item, replace func(Item) string) any {
	if _, ok := it.Value.(string); ok {
		return replace(it)
	}
	f.ReplaceStrings(it, replace)
	return it.Value
}
