package node

// ParseConfig is LoadConfig with the text of the file, for tests.
func ParseConfig(file string, data []byte) (Config, error) { return parseConfig(file, data) }

// WithDefaults is the Config that Start makes of one.
func (c Config) WithDefaults() Config {
	c.setDefaults()
	return c
}
