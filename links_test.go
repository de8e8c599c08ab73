package mayfly_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestLinks follows each link between the files of the repository, to its anchor too.
func TestLinks(t *testing.T) {
	pages := readPages(t)
	if len(pages) < 10 {
		t.Fatalf("only %d pages found", len(pages))
	}
	for name, text := range pages {
		for _, broken := range brokenLinks(name, text, pages) {
			t.Errorf("%s: broken link to %s", name, broken)
		}
	}
}

// TestPagesAreInREADME sees to it that a new user finds each page.
func TestPagesAreInREADME(t *testing.T) {
	pages := readPages(t)
	linked := links(pages["README.md"])
	for name := range pages {
		if strings.HasPrefix(name, "docs/") && !slices.Contains(linked, name) {
			t.Errorf("README.md has no link to %s", name)
		}
	}
}

func TestBrokenLinks(t *testing.T) {
	pages := map[string]string{"other.md": "# A `title`: one, two\n\n## Same\n\n## Same\n\n```sh\n# no heading\n```\n"}
	tests := []struct {
		text string
		want []string
	}{
		{"[a](other.md) [b](layout_test.go) [c](kv) [d](https://example.com/x)", nil},
		{"[a](other.md#a-title-one-two) [b](other.md#same) [c](other.md#same-1)", nil},
		{"# Here\n[a](#here)", nil},
		{"`[a](nowhere.md)`\n```\n[a](nowhere.md)\n```\n", nil},
		{"[a](nowhere.md)", []string{"nowhere.md"}},
		{"[a](other.md#same-2) [b](other.md#no-heading) [c](#there)", []string{"other.md#same-2", "other.md#no-heading", "#there"}},
		{"[two\nlines](nowhere)", []string{"nowhere"}},
	}
	for _, tt := range tests {
		if got := brokenLinks("page.md", tt.text, pages); !slices.Equal(got, tt.want) {
			t.Errorf("brokenLinks(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

// readPages returns the texts of the Markdown files, by their paths with slashes.
func readPages(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".md") {
			return nil
		}
		text, err := os.ReadFile(name)
		pages[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// brokenLinks returns those links of a page that lead to no file, or to no heading.
func brokenLinks(name, text string, pages map[string]string) (broken []string) {
	for _, link := range links(text) {
		if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
			continue
		}
		file, anchor, _ := strings.Cut(link, "#")
		target, there := text, true
		if file != "" {
			target, there = lookUp(filepath.ToSlash(filepath.Join(filepath.Dir(name), file)), pages)
		}
		if !there || anchor != "" && !slices.Contains(anchors(target), anchor) {
			broken = append(broken, link)
		}
	}
	return broken
}

// lookUp returns the text of a page, and whether there is such a page, file or folder.
func lookUp(name string, pages map[string]string) (string, bool) {
	if text, ok := pages[name]; ok {
		return text, true
	}
	_, err := os.Stat(name)
	return "", err == nil
}

var (
	fenced   = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	inCode   = regexp.MustCompile("`[^`\n]*`")
	linkTo   = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *#*$`)
	noAnchor = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

func links(text string) (list []string) {
	for _, m := range linkTo.FindAllStringSubmatch(inCode.ReplaceAllString(fenced.ReplaceAllString(text, ""), ""), -1) {
		list = append(list, m[1])
	}
	return list
}

// anchors names the headings as GitHub does: in lower case, without punctuation, with
// hyphens for spaces, and with a number where a name comes again.
func anchors(text string) (list []string) {
	seen := map[string]int{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		name := strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		n := seen[name]
		seen[name]++
		if n > 0 {
			name += "-" + strconv.Itoa(n)
		}
		list = append(list, name)
	}
	return list
}
