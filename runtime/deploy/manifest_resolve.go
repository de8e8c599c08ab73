package deploy

import (
	"fmt"
	"slices"
	"strings"
)

// Resolver gives the texts that references in the values of a manifest stand for:
//
//	${env:NAME}          of the environment
//	${env:NAME:-text}    or this text if NAME is not set, or empty
//	${file:path}         what is in a file below the manifest's folder
//	${file:path:-text}   or this text if there is no such file
//	$${                  the characters ${
//
// A text is not looked through again. Of a file, one line end at its end is
// dropped; it has at most 64 KiB of UTF-8, and is not outside the folder, not by
// a symbolic link either. Keys have no references, and neither have main, [assets]
// and [build]: paths are told in errors, and the shell that runs a build command has
// the environment itself.
//
// Only what the stage uses that is asked for is resolved. No error has a text
// that a reference stands for.
type Resolver struct {
	// Env looks up a name in the environment. Nil: nothing is set.
	Env func(name string) (string, bool)
	// Dir is the folder of files; "": there are none.
	Dir string
	// KeepVars leaves the values of [vars] as they are written.
	KeepVars bool
}

// Bounds of what references stand for, in bytes.
const (
	maxReference = 64 << 10 // of one value
	maxResolved  = 1 << 20  // of a manifest
)

// references are what a decoder knows of those in its file.
type references struct {
	unread   map[string]bool  // stages that refer to something and are not asked for
	at       map[int][]string // by the offset of a value: what is referred to there
	broken   map[int]string   // by the offset of a value: what is wrong with its references
	texts    []string         // that they stand for
	resolved int              // bytes of those texts
}

// resolve puts texts in the place of references. What the stage does not use is
// checked for its form, and not read if it has references, since what they stand
// for may not be here.
func (d *decoder) resolve(res Resolver, stage string) {
	d.unread, d.at, d.broken = map[string]bool{}, map[int][]string{}, map[int]string{}
	for _, it := range d.Children(d.Root(), "a table") {
		switch {
		case it.Key == "env" && table(it) != nil:
			for _, s := range d.Children(it, "a table") {
				if s.Key == stage {
					d.resolveTable(res, s)
				} else {
					d.unread[s.Key] = d.refers(s)
				}
			}
		case !refersHere(it.Key):
		case d.used(it.Key, stage):
			d.resolveKey(res, d.Root(), it)
		case d.refers(item{Value: map[string]any{it.Key: it.Value}}):
			delete(table(d.Root()), it.Key)
		}
	}
	d.hideNames()
}

func refersHere(key string) bool { return key != "main" && key != "assets" && key != "build" }

func (d *decoder) resolveTable(res Resolver, it item) {
	if table(it) == nil {
		return
	}
	for _, c := range d.Children(it, "a table") {
		if refersHere(c.Key) {
			d.resolveKey(res, it, c)
		}
	}
}

// resolveKey resolves one key of the top level or of a stage.
func (d *decoder) resolveKey(res Resolver, in, it item) {
	if it.Key == "vars" && res.KeepVars {
		return
	}
	replace := func(it item) string { return d.resolveText(res, it) }
	if _, ok := it.Value.(string); ok {
		table(in)[it.Key] = replace(it)
		return
	}
	d.ReplaceStrings(it, replace)
}

// resolveText is the text of a value with its references resolved. What can't be
// is reported, and stays.
func (d *decoder) resolveText(res Resolver, it item) string {
	text := it.Value.(string)
	pieces, err := splitReferences(text)
	if err != nil {
		d.badReference(it, err)
		return text
	}
	var b strings.Builder
	var refs []string
	for _, p := range pieces {
		if p.kind == "" {
			b.WriteString(p.text)
			continue
		}
		got, err := res.get(p)
		d.resolved += len(got)
		switch {
		case err == nil && b.Len()+len(got) > maxReference:
			err = fmt.Errorf("%s makes the value longer than %d bytes", p, maxReference)
		case err == nil && d.resolved > maxResolved:
			err = fmt.Errorf("%s makes all values together longer than %d bytes", p, maxResolved)
		}
		if err != nil {
			d.badReference(it, err)
			return text
		}
		refs, d.texts = append(refs, p.String()), append(d.texts, got)
		b.WriteString(got)
	}
	if refs != nil {
		d.at[it.ValueAt] = refs
	}
	return b.String()
}

// badReference reports a value whose text is not known, so that nothing else can
// be said about it.
func (d *decoder) badReference(it item, err error) {
	d.broken[it.ValueAt] = fmt.Sprintf("%s: %v", it.Name, err)
	d.Addf(it.ValueAt, "%s", d.broken[it.ValueAt])
}

// refers reports whether there are references in a table, and those that have no
// form.
func (d *decoder) refers(it item) (found bool) {
	d.ReplaceStrings(it, func(it item) string {
		text := it.Value.(string)
		pieces, err := splitReferences(text)
		if err != nil {
			d.badReference(it, err)
		}
		found = found || err != nil || slices.ContainsFunc(pieces, func(p piece) bool { return p.kind != "" })
		return text
	})
	return found
}

// hideNames hides what is said about the names of stages that are made of the top
// level's, if that has references.
func (d *decoder) hideNames() {
	var name []string
	var stages []item
	for _, top := range d.Children(d.Root(), "a table") {
		switch {
		case top.Key == "name":
			name = d.at[top.ValueAt]
		case top.Key == "env" && table(top) != nil:
			stages = d.Children(top, "a table")
		}
	}
	for _, it := range stages {
		if name != nil {
			d.at[it.KeyAt] = name
		}
	}
}

// minHidden is the shortest text, in bytes, that is looked for in messages about
// other places: one that is shorter is in them by chance.
const minHidden = 8

// hide keeps texts that references stand for out of messages, and drops those
// about values whose text is not known.
func (d *decoder) hide(at int, msg string) string {
	if cause := d.broken[at]; cause != "" {
		if cause == msg {
			return msg
		}
		return ""
	}
	if refs := d.at[at]; refs != nil {
		return fmt.Sprintf("what %s stands for is not accepted here; it is not shown", strings.Join(refs, " and "))
	}
	for _, text := range d.texts {
		if len(text) >= minHidden && strings.Contains(msg, text) {
			return "what a reference in this file stands for is not accepted; it is not shown"
		}
	}
	return msg
}
