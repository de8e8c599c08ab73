package rewrite

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Handler says what of the elements that Selector chooses is of interest; nil
// stands for the document as a whole.
type Handler struct {
	Selector *Selector `json:"-"`
	Element  bool      // elements; of the document, its doctype
	Comments bool
	Text     bool
}

// Kinds of an Event.
const (
	Start   = "start"
	End     = "end" // of an element whose Start was an Event
	Text    = "text"
	Comment = "comment"
	Doctype = "doctype"
)

// Event is a token that handlers are for. Its texts are as in the source, where
// references to characters are not resolved.
type Event struct {
	Kind       string   `json:"kind"`
	Handlers   []int    `json:"handlers,omitempty"` // which, in order
	Name       string   `json:"name,omitempty"`
	Attributes []string `json:"attributes,omitempty"` // names and values in turn
	Content    bool     `json:"content,omitempty"`    // the element will have an end
	Foreign    bool     `json:"foreign,omitempty"`    // it is within svg or math
	Slash      bool     `json:"slash,omitempty"`      // its tag ends with a slash
	Implied    bool     `json:"implied,omitempty"`    // there is no end tag
	Text       string   `json:"text,omitempty"`
	PublicID   string   `json:"publicId,omitempty"`
	SystemID   string   `json:"systemId,omitempty"`
}

// Bounds of what is kept, in bytes, and of open elements.
const (
	maxToken = 4 << 20
	maxDepth = 2048
	maxChunk = 64 << 10
	// maxOpen is for the tags of open elements, and the names of their children.
	maxOpen = 8 << 20
	// maxLooks is how much one element is looked at, in units of Tested.
	maxLooks = 2_000_000
)

// Rewriter reads one document. It is not safe for concurrent use.
type Rewriter struct {
	handlers []Handler
	active   []int // of each handler: how many open elements it is for
	top      *element
	depth    int
	queue    []item // what comes next
	raw      []byte // of the newest Event

	in      []byte // that the tokenizer has not read
	kept    []byte // that it has read, and not given back as a token
	starved bool   // it waits for more
	ended   bool
	err     error
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool

	// Tested counts tests of elements for selectors, those of long tags several times.
	Tested int64
	// Pay is called now and then while Next reads on, and may panic. Nil: nobody is.
	Pay  func()
	open int // bytes, see maxOpen
}

// item is the source of an Event, or of what no handler is for.
type item struct {
	raw   []byte
	event *Event
}

// New makes a Rewriter. Close ends it.
func New(handlers []Handler) *Rewriter {
	r := &Rewriter{handlers: handlers, active: make([]int, len(handlers)), top: new(element)}
	r.next, r.stop = iter.Pull(func(yield func(struct{}) bool) {
		r.yield = yield
		r.err = r.run()
	})
	return r
}

// Close frees what reading needs.
func (r *Rewriter) Close() { r.stop() }

// Write adds input.
func (r *Rewriter) Write(data []byte) {
	r.in = append(slices.Clone(r.in), data...)
	r.starved = false
}

// End says that there is no more input.
func (r *Rewriter) End() { r.ended, r.starved = true, false }

// Next is what comes next: bytes to pass on, or an Event. Both are nil if input is
// needed; io.EOF is the end.
func (r *Rewriter) Next() ([]byte, *Event, error) {
	for !r.ready() {
		r.next()
		if r.Pay != nil {
			r.Pay()
		}
	}
	if len(r.queue) == 0 {
		return nil, nil, r.err
	}
	first := r.queue[0]
	r.queue = r.queue[1:]
	if first.event == nil {
		return first.raw, nil, nil
	}
	r.raw = first.raw
	return nil, first.event, nil
}

// ready says whether there is no point in reading on first. What no handler is for
// is collected.
func (r *Rewriter) ready() bool {
	if r.err != nil || r.starved || len(r.queue) > 1 {
		return true
	}
	return len(r.queue) == 1 && (r.queue[0].event != nil || len(r.queue[0].raw) >= maxChunk)
}

// pass gives bytes that no handler is for.
func (r *Rewriter) pass(raw []byte) {
	if n := len(r.queue); n > 0 && r.queue[n-1].event == nil {
		r.queue[n-1].raw = append(r.queue[n-1].raw, raw...)
	} else if len(raw) > 0 {
		r.queue = append(r.queue, item{raw: slices.Clone(raw)})
	}
}

// Raw is the source of the newest Event.
func (r *Rewriter) Raw() []byte { return r.raw }

var errClosed = errors.New("closed")

// Read is what the tokenizer reads from.
func (r *Rewriter) Read(p []byte) (int, error) {
	for len(r.in) == 0 {
		if r.ended {
			return 0, io.EOF
		}
		if r.starved = true; !r.yield(struct{}{}) {
			return 0, errClosed
		}
	}
	n := copy(p, r.in)
	r.kept = append(r.kept, r.in[:n]...)
	r.in = r.in[n:]
	return n, nil
}

func (r *Rewriter) run() error {
	z := html.NewTokenizer(r)
	z.SetMaxBuf(maxToken)
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return r.finish(z.Err())
		}
		n := len(z.Raw())
		raw := r.kept[:n:n]
		r.kept = r.kept[n:]
		if err := r.token(kind, raw); err != nil {
			return err
		}
		if z.AllowCDATA(r.top.foreign); r.top.foreign {
			z.NextIsNotRawText()
		}
		if !r.yield(struct{}{}) {
			return errClosed
		}
	}
}

// finish passes on what is no token, such as half a tag, and ends what is open.
func (r *Rewriter) finish(err error) error {
	if err == html.ErrBufferExceeded {
		return fmt.Errorf("a tag, comment or text has more than %d bytes", maxToken)
	}
	if err != io.EOF {
		return err
	}
	r.pass(r.kept)
	r.kept = nil
	for r.top.parent != nil {
		r.pop(true, nil)
	}
	return io.EOF
}

func (r *Rewriter) token(kind html.TokenType, raw []byte) error {
	switch kind {
	case html.StartTagToken, html.SelfClosingTagToken:
		return r.start(raw, kind == html.SelfClosingTagToken)
	case html.EndTagToken:
		r.end(raw)
	case html.TextToken:
		r.give(raw, &Event{Kind: Text, Handlers: r.inside(func(h *Handler) bool { return h.Text })})
	case html.CommentToken:
		r.give(raw, &Event{Kind: Comment, Handlers: r.inside(func(h *Handler) bool { return h.Comments })})
	case html.DoctypeToken:
		e := &Event{Kind: Doctype, Handlers: r.inside(func(h *Handler) bool { return h.Selector == nil && h.Element })}
		r.give(raw, e)
	}
	return nil
}

// inside are the handlers that are for something at this place.
func (r *Rewriter) inside(wants func(*Handler) bool) (list []int) {
	for i := range r.handlers {
		if h := &r.handlers[i]; (h.Selector == nil || r.active[i] > 0) && wants(h) {
			list = append(list, i)
		}
	}
	return list
}

// give passes a token on, as an Event if a handler is for it.
func (r *Rewriter) give(raw []byte, e *Event) {
	if len(e.Handlers) == 0 {
		r.pass(raw)
		return
	}
	switch text := string(raw); e.Kind {
	case Text:
		e.Text = text
	case Comment:
		e.Text = commentText(text)
	case Doctype:
		e.Name, e.PublicID, e.SystemID = doctype(text)
	}
	r.push(raw, e)
}

func (r *Rewriter) push(raw []byte, e *Event) {
	r.queue = append(r.queue, item{slices.Clone(raw), e})
}

// commentText is what stands within the marks of a comment, of which there are
// several kinds.
func commentText(raw string) string {
	if text, ok := strings.CutPrefix(raw, "<!--"); ok {
		text = strings.TrimSuffix(strings.TrimSuffix(text, ">"), "--!")
		return strings.TrimSuffix(text, "--")
	}
	return strings.TrimSuffix(strings.TrimLeft(raw, "<!/"), ">")
}

// doctype reads name and identifiers.
func doctype(raw string) (name, public, system string) {
	t := html.NewTokenizer(strings.NewReader(raw))
	t.Next()
	rest := strings.TrimSpace(string(t.Text()))
	name, rest, _ = strings.Cut(rest, " ")
	name, rest = strings.ToLower(name), strings.TrimSpace(rest)
	var ids []string
	keyword := strings.ToUpper(rest[:min(6, len(rest))])
	for rest = rest[min(6, len(rest)):]; ; {
		i := strings.IndexAny(rest, `"'`)
		if i < 0 {
			break
		}
		var id string
		id, rest, _ = strings.Cut(rest[i+1:], rest[i:i+1])
		ids = append(ids, id)
	}
	ids = append(ids, "", "")
	if keyword == "SYSTEM" {
		return name, "", ids[0]
	}
	return name, ids[0], ids[1]
}

func (r *Rewriter) start(raw []byte, slash bool) error {
	name, rest := tagName(string(raw), 1)
	e := &element{name: name, attrs: attributes(rest), size: len(raw)}
	r.open += r.top.add(e)
	if err := r.choose(e); err != nil {
		return err
	}
	content := !void[name] && !(e.foreign && slash)
	if content {
		if r.depth++; r.depth > maxDepth {
			return fmt.Errorf("more than %d elements are open within each other", maxDepth)
		}
		for _, i := range e.handlers {
			r.active[i]++
		}
		r.top = e
		r.open += e.size
	}
	if r.open > maxOpen {
		return fmt.Errorf("the elements that are open within each other have more than %d bytes", maxOpen)
	}
	wanted := slices.DeleteFunc(slices.Clone(e.handlers), func(i int) bool { return !r.handlers[i].Element })
	if len(wanted) == 0 {
		r.pass(raw)
		return nil
	}
	r.push(raw, &Event{Kind: Start, Handlers: wanted, Name: name, Attributes: e.attrs, Content: content, Foreign: e.foreign, Slash: slash})
	return nil
}

// choose finds the handlers that are for an element.
func (r *Rewriter) choose(e *element) error {
	var looked int64
	for i := range r.handlers {
		looked++
		if s := r.handlers[i].Selector; s != nil && s.matches(e, &looked) {
			e.handlers = append(e.handlers, i)
		}
	}
	r.Tested += looked
	if looked > maxLooks {
		return fmt.Errorf("the selectors take too long for an element within %d others", r.depth)
	}
	return nil
}

// end closes the element that an end tag is for, and those within it.
func (r *Rewriter) end(raw []byte) {
	name, _ := tagName(string(raw), 2)
	open := r.top
	for open.parent != nil && open.name != name {
		open = open.parent
	}
	if open.parent == nil {
		r.pass(raw)
		return
	}
	for r.top != open {
		r.pop(true, nil)
	}
	r.pop(false, raw)
}

// pop closes the innermost element.
func (r *Rewriter) pop(implied bool, raw []byte) {
	e := r.top
	r.top = e.parent
	r.depth--
	r.open -= e.size + e.named
	wanted := false
	for _, i := range e.handlers {
		r.active[i]--
		wanted = wanted || r.handlers[i].Element
	}
	if !wanted {
		r.pass(raw)
		return
	}
	r.push(raw, &Event{Kind: End, Name: e.name, Implied: implied})
}
