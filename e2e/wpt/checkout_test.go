package wpt_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// checkout is the folder of the web platform tests.
type checkout string

// test is one file with one of its variants, and what it says of itself:
// https://web-platform-tests.org/writing-tests/testharness.html
type test struct {
	file    string // from the top of the checkout
	variant string // a query, or empty
	scripts []string
	skip    string // why it is not run here; empty if it is
}

func (t *test) name() string { return t.file + t.variant }

var meta = regexp.MustCompile(`(?m)^//\s*META:\s*(\w+)=(.*?)\s*$`)

// tests lists the tests below folders, in order.
func (c checkout) tests(folders []string) (list []*test, err error) {
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(string(c), folder), func(name string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".any.js") {
				return err
			}
			rel, err := filepath.Rel(string(c), name)
			if err != nil {
				return err
			}
			variants, err := c.read(filepath.ToSlash(rel))
			list = append(list, variants...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// read reads what a file says of itself.
func (c checkout) read(file string) (variants []*test, err error) {
	data, err := os.ReadFile(filepath.Join(string(c), file))
	if err != nil {
		return nil, err
	}
	t := test{file: file}
	queries, globals := []string{}, "window,dedicatedworker"
	for _, m := range meta.FindAllStringSubmatch(string(data), -1) {
		switch m[1] {
		case "script":
			t.scripts = append(t.scripts, m[2])
		case "variant":
			queries = append(queries, m[2])
		case "global":
			globals = m[2]
		}
	}
	t.skip = whyNot(globals, string(data), t.scripts)
	if len(queries) == 0 {
		queries = []string{""}
	}
	for _, q := range queries {
		v := t
		v.variant = q
		variants = append(variants, &v)
	}
	return variants, nil
}

// whyNot says why a file can't run here, or nothing.
func whyNot(globals, source string, scripts []string) string {
	list := strings.Split(globals, ",")
	switch {
	case !slices.ContainsFunc(list, func(g string) bool { return g == "window" || strings.HasSuffix(g, "worker") }):
		return "is for shadow realms alone"
	case strings.Contains(source, ".py"), slices.ContainsFunc(scripts, asksServer):
		return "asks the scripts of the server of web-platform-tests"
	case strings.Contains(source, "META: global=window\n"):
		return "is for windows alone"
	}
	return ""
}

// asksServer tells scripts that are there to ask the scripts of the server.
func asksServer(script string) bool {
	switch path.Base(script) {
	case "request-cache.js", "send-file-formdata-helper.js":
		return true
	}
	return false
}

var strict = regexp.MustCompile(`(?m)^['"]use strict['"]`)

// source is one script of the scripts that a test asks for and the test itself:
// scripts of a page see each other's constants, which those that are evaluated one by
// one would not. It is strict if the test is.
func (c checkout) source(t *test) (string, error) {
	var all strings.Builder
	for _, script := range append(slices.Clone(t.scripts), "/"+t.file) {
		name := strings.TrimPrefix(script, "/")
		if name == script {
			name = path.Join(path.Dir(t.file), script)
		}
		data, err := os.ReadFile(filepath.Join(string(c), served(name)))
		if err != nil {
			return "", fmt.Errorf("script of %s: %w", t.file, err)
		}
		fmt.Fprintf(&all, "\n;%s", data)
		if name == t.file && strict.Match(data) {
			return `"use strict";` + all.String(), nil
		}
	}
	return all.String(), nil
}

// served is where the server of web-platform-tests has what it offers under a name.
func served(name string) string {
	if name == "resources/WebIDLParser.js" {
		return "resources/webidl2/lib/webidl2.js"
	}
	return name
}
