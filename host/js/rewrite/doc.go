// Package rewrite finds what HTMLRewriter's handlers are for in HTML that streams
// by, and leaves every other byte as it is. Tokens are those of
// golang.org/x/net/html; which elements are open follows from the tags alone, as in
// Cloudflare's rewriter.
//
// A Rewriter is given input, and asked for what comes next. Begin with New.
package rewrite
