package rewrite_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mayfly-run/mayfly/host/js/rewrite"
)

func mustSelector(t testing.TB, text string) *rewrite.Selector {
	t.Helper()
	s, err := rewrite.ParseSelector(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// read gives pieces to a Rewriter and returns all bytes, and the events as one line.
func read(handlers []rewrite.Handler, pieces ...[]byte) (out []byte, events []string, err error) {
	r := rewrite.New(handlers)
	defer r.Close()
	for {
		raw, e, err := r.Next()
		switch {
		case err == io.EOF:
			return out, events, nil
		case err != nil:
			return out, events, err
		case e != nil:
			out = append(out, r.Raw()...)
			events = append(events, strings.TrimSpace(fmt.Sprint(e.Kind, " ", e.Name, e.Text)))
		case len(raw) > 0:
			out = append(out, raw...)
		case len(pieces) > 0:
			r.Write(pieces[0])
			pieces = pieces[1:]
		default:
			r.End()
		}
	}
}

func TestSelectors(t *testing.T) {
	const page = `<html><body id=b class="one two"><p>1</p><div lang=en-GB><p class='x y' Data-A="Value"><i></i><b></b><br><b></b><i></i></p></div>` +
		`<svg><circle/><rect id=r></rect></svg><p id=last></p></body></html>`
	for _, tt := range []struct{ selector, want string }{
		{"p", "p p p"}, {"P.x", "p"}, {".two", "body"}, {"#b", "body"}, {"body > p", "p p"}, {"body p", "p p p"}, {"div > p > b", "b b"}, {"html > p", ""},
		{"[lang|=en]", "div"}, {"[data-a]", "p"}, {`[data-a="Value"]`, "p"}, {"[data-a=value]", ""}, {"[data-a=value i]", "p"}, {"[class~=y]", "p"}, {"[class^=x]", "p"},
		{"[class$=y]", "p"}, {`[class*=" "]`, "body p"}, {"b:first-of-type", "b"}, {"b:nth-of-type(2)", "b"}, {"p > :first-child", "i"}, {"p > :nth-child(2n)", "b b"},
		{"p > :nth-child(odd)", "i br i"}, {"p > :nth-child(-n+2)", "i b"}, {"p:not(.x)", "p p"}, {"p:not(.x, #last)", "p"}, {"i, br", "i br i"}, {"svg > rect", "rect"},
		{"div *", "p i b br b i"}, {"body:not(div) > div", "div"},
	} {
		t.Run(tt.selector, func(t *testing.T) {
			_, events, err := read([]rewrite.Handler{{Selector: mustSelector(t, tt.selector), Element: true}}, []byte(page))
			var got []string
			for _, e := range events {
				if name, ok := strings.CutPrefix(e, "start "); ok {
					got = append(got, name)
				}
			}
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestRefusedSelectors(t *testing.T) {
	for _, s := range []string{"", " ", "p >", "> p", "p,", "p:hover", "p::before", "[a", "[a=]", "[a='x]", "p + p", "p ~ p", ":nth-child(x)", ":nth-child(2", ".", "#", "1a",
		":not()", ":not(", strings.Repeat(":not(", 20) + "a" + strings.Repeat(")", 20), strings.Repeat("a", 5000)} {
		if _, err := rewrite.ParseSelector(s); err == nil {
			t.Errorf("%.40q is taken for a selector", s)
		}
	}
}

func TestEvents(t *testing.T) {
	all := []rewrite.Handler{{Selector: mustSelector(t, "div, script, br"), Element: true, Comments: true, Text: true}}
	document := append([]rewrite.Handler{{Element: true, Comments: true, Text: true}}, all...)
	for _, tt := range []struct {
		html     string
		handlers []rewrite.Handler
		want     string
	}{
		{"a<div>b<!--c--></div>d", all, "start div|text b|comment c|end div"},
		{"a<div>b<p>c", all, "start div|text b|text c|end div"},
		{"<div><p></div></p></x>", all, "start div|end div"},
		{"<script>a<b>c</script><br>", all, "start script|text a<b>c|end script|start br"},
		{"<!DOCTYPE html><div>&amp;</div>", document, "doctype html|start div|text &amp;|end div"},
		{"<!-- x --!><!y><?z>", document, "comment  x|comment y|comment ?z"},
		{"<svg><div/><div></div></svg>", all, "start div|start div|end div"},
		{"<div><div", all, "start div|end div"},
	} {
		t.Run(tt.html, func(t *testing.T) {
			out, events, err := read(tt.handlers, []byte(tt.html))
			if got := strings.Join(events, "|"); err != nil || got != tt.want || string(out) != tt.html {
				t.Errorf("got %q, %v, want %q; passed %q", got, err, tt.want, out)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	for name, page := range map[string]string{"deep": strings.Repeat("<div>", 5000), "long": "<a " + strings.Repeat("x", 5<<20)} {
		var pieces [][]byte
		for rest := []byte(page); len(rest) > 0; {
			n := min(len(rest), 64<<10)
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		if _, _, err := read(nil, pieces...); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// What comes out is what came in, however it was cut, and so are the events.
// Selectors that almost match take time with their length and with the depth of the
// document, and not with one to the power of the other.
func TestSelectorsOfDeepDocuments(t *testing.T) {
	for _, selector := range []string{"x" + strings.Repeat(" div", 20), "x > " + strings.Repeat("div ", 20) + "> div", "p:not(x" + strings.Repeat(" div", 20) + ")"} {
		r := rewrite.New([]rewrite.Handler{{Selector: mustSelector(t, selector), Element: true}})
		defer r.Close()
		r.Write([]byte(strings.Repeat("<div>", 100)))
		r.End()
		for {
			if _, _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if r.Tested < 100 || r.Tested > 1_000_000 {
			t.Errorf("%s: looked %d times", selector, r.Tested)
		}
	}
}

// What is remembered of open elements is bounded, and so is what one element takes.
func TestHeavyElements(t *testing.T) {
	long := "<div " + strings.Repeat("a", 1<<20) + ">"
	if _, _, err := read(nil, []byte(strings.Repeat(long, 20))); err == nil {
		t.Error("20 MiB of attributes of open elements are kept")
	}
	if _, _, err := read(nil, []byte(strings.Repeat(long+"</div>", 20))); err != nil {
		t.Error(err)
	}
	var children strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&children, "<x%d></x%d>", i, i)
	}
	if _, _, err := read(nil, []byte("<div>"+children.String())); err == nil {
		t.Error("200000 names of children are kept")
	}
	heavy := []rewrite.Handler{{Selector: mustSelector(t, "x"+strings.Repeat("[b] ", 500)+"div"), Element: true}}
	for range 8 {
		heavy = append(heavy, heavy...)
	}
	if _, _, err := read(heavy, []byte(strings.Repeat("<div a b=c d e f g h i j>", 2000))); err == nil {
		t.Error("an element is looked at without end")
	}
}

func FuzzRewrite(f *testing.F) {
	for _, page := range []string{"<!doctype html><p class=a>x<!-- c --><br/>y</p>", "<svg><![CDATA[x]]></svg>", "<script><!--<script></script>--></script>", "<title>a</p>\r\n\x00", "<a b='c", "</", "\xff<\xff>"} {
		f.Add([]byte(page), "p, a[b]", 3)
	}
	f.Fuzz(func(t *testing.T, page []byte, selector string, cut int) {
		handlers := []rewrite.Handler{{Comments: true, Element: true}, {Selector: mustSelector(t, "*"), Text: true, Element: true}}
		if s, err := rewrite.ParseSelector(selector); err == nil {
			handlers = append(handlers, rewrite.Handler{Selector: s, Element: true})
		}
		cut = max(0, min(cut, len(page)))
		out, events, err := read(handlers, page)
		outCut, eventsCut, errCut := read(handlers, page[:cut], page[cut:])
		if err == nil && (!bytes.Equal(out, page) || !bytes.Equal(outCut, page) || errCut != nil || strings.Join(events, "|") != strings.Join(eventsCut, "|")) {
			t.Errorf("got %q %q, cut %q %q, %v", out, events, outCut, eventsCut, errCut)
		}
	})
}
