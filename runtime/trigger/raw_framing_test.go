package trigger_test

import (
	"fmt"
	"testing"
)

// Where a body ends must be beyond doubt, or else what follows on the connection
// is (RFC 9112, sections 6.1 to 6.3).
func TestRawFraming(t *testing.T) {
	s := startRaw(t)
	length := func(value, body string) string { return post + "Content-Length:" + value + end + end + body }
	encoding := func(value string) string { return post + "Transfer-Encoding:" + value + end + end + "0\r\n\r\n" }
	size := fmt.Sprintf(" %d", len(smuggled))
	const two = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
	s.run(t, []rawCase{
		{"length", length(" 3", "abc"), "200:abc open POST body/"},
		{"length without space", length("3", "abc"), "200:abc open POST body/"},
		{"length with blanks", length("\t 3 \t", "abc"), "200:abc open POST body/"},
		{"length with zeros", length(" 0003", "abc"), "200:abc open POST body/"},
		{"no length", post + end, "200 open POST body/"},
		{"length 0", length(" 0", ""), "200 open POST body/"},
		{"request in a body", length(size, smuggled), "200:" + smuggled + " open POST body/"},
		{"request in a body that nobody reads", get + "Content-Length:" + size + "\r\n\r\n" + smuggled, "200 open GET hello/"},
		{"body of GET", "GET / HTTP/1.1\r\nHost: body.localhost\r\nContent-Length: 3\r\n\r\nabc", "200:abc open GET body/"},
		{"body of HEAD", "HEAD / HTTP/1.1\r\n" + hostLine + "Content-Length: 3\r\n\r\nabc", "200 open HEAD hello/"},
		{"body of DELETE", "DELETE / HTTP/1.1\r\nHost: body.localhost\r\nContent-Length: 3\r\n\r\nabc", "200:abc open DELETE body/"},
		{"body of OPTIONS", "OPTIONS / HTTP/1.1\r\nHost: body.localhost\r\nContent-Length: 3\r\n\r\nabc", "200:abc open OPTIONS body/"},
		{"chunked GET", "GET / HTTP/1.1\r\nHost: body.localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "200:abc open GET body/"},

		{"two lengths", post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400 closed"},
		{"two lengths, first 0", post + "Content-Length: 0\r\nContent-Length: 60\r\n\r\n" + smuggled, "400 closed"},
		{"same length twice", post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", "400 closed"},
		{"two lengths in different case", post + "content-length: 1\r\nCONTENT-LENGTH: 1\r\n\r\na", "400 closed"},
		{"list of lengths", length(" 1, 1", "a"), "400 closed"},
		{"list with one length", length(" 1,", "a"), "400 closed"},
		{"negative length", length(" -1", "a"), "400 closed"},
		{"length with plus", length(" +1", "a"), "400 closed"},
		{"hexadecimal length", length(" 0x1", "a"), "400 closed"},
		{"length with hexadecimal digit", length(" a", "a"), "400 closed"},
		{"length with underscore", length(" 1_0", "a"), "400 closed"},
		{"fraction as length", length(" 1.0", "a"), "400 closed"},
		{"exponent as length", length(" 1e0", "a"), "400 closed"},
		{"blank in length", length(" 1 1", "a"), "400 closed"},
		{"quoted length", length(" \"1\"", "a"), "400 closed"},
		{"empty length", length("", "a"), "400 closed"},
		{"blank length", length("  ", "a"), "400 closed"},
		{"digits beyond ASCII in length", length(" \xd9\xa1", "a"), "400 closed"},
		{"vertical tab before length", length("\x0b1", "a"), "400 closed"},
		{"form feed behind length", length(" 1\x0c", "a"), "400 closed"},
		{"NUL behind length", length(" 1\x00", "a"), "400 closed"},
		{"CR behind length", length(" 1\r", "a"), "400 closed"},
		{"length of 2^63", length(" 9223372036854775808", ""), "400 closed"},
		{"length of 2^64+1", length(" 18446744073709551617", "a"), "400 closed"},
		{"length of 30 digits", length(" 100000000000000000000000000001", "a"), "400 closed"},
		{"folded length", length("\r\n 1", "a"), "400 closed"},
		{"space behind name", post + "Content-Length : 60\r\n\r\n" + smuggled, "400 closed"},
		{"tab behind name", post + "Content-Length\t: 60\r\n\r\n" + smuggled, "400 closed"},
		{"other length names", post + "Content_Length: 60\r\nContentLength: 60\r\n\r\n", "200 open POST body/"},

		{"chunked", encoding(" chunked"), "200 open POST body/"},
		{"capitals", encoding(" CHUNKED"), "200 open POST body/"},
		{"length and chunked", post + two + "0\r\n\r\n", "400 closed"},
		{"chunked and length", post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", "400 closed"},
		{"length 0 and chunked", post + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled, "400 closed"},
		{"length and chunked with GET", "GET / HTTP/1.1\r\n" + hostLine + two + "0\r\n\r\n", "400 closed"},
		{"length and identity", post + "Content-Length: 3\r\nTransfer-Encoding: identity\r\n\r\nabc", "501 closed"},
		{"identity", encoding(" identity"), "501 closed"},
		{"gzip", encoding(" gzip"), "400 closed"},
		{"gzip, chunked", encoding(" gzip, chunked"), "400 closed"},
		{"chunked, gzip", encoding(" chunked, gzip"), "400 closed"},
		{"chunked, identity", encoding(" chunked, identity"), "400 closed"},
		{"identity, chunked", encoding(" identity, chunked"), "400 closed"},
		{"chunked, chunked", encoding(" chunked, chunked"), "400 closed"},
		{"chunked with comma", encoding(" chunked,"), "400 closed"},
		{"comma, chunked", encoding(" ,chunked"), "400 closed"},
		{"twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 closed"},
		{"identity and chunked", post + "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 closed"},
		{"empty", encoding(""), "400 closed"},
		{"empty, with a length", post + "Transfer-Encoding:\r\nContent-Length: 3\r\n\r\nabc", "400 closed"},
		{"xchunked", encoding(" xchunked"), "400 closed"},
		{"chunkedx", encoding(" chunkedx"), "400 closed"},
		{"parameter", encoding(" chunked;q=1"), "400 closed"},
		{"quoted", encoding(" \"chunked\""), "400 closed"},
		{"vertical tab before", encoding(" \x0bchunked"), "400 closed"},
		{"NUL behind", encoding(" chunked\x00"), "400 closed"},
		{"CR before", encoding(" \rchunked"), "400 closed"},
		{"beyond ASCII", encoding(" chunKed\xe2\x84\xaa"), "400 closed"},
		{"Kelvin sign", encoding(" chun\xe2\x84\xaaed"), "400 closed"},
		{"folded", encoding("\r\n chunked"), "400 closed"},
		{"folded behind", encoding(" chunked\r\n ,identity"), "400 closed"},
		{"space behind name of encoding", post + "Transfer-Encoding : chunked\r\nContent-Length: 3\r\n\r\nabc", "400 closed"},
		{"in HTTP/1.0", "POST / HTTP/1.0\r\n" + hostLine + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 closed"},
		{"in HTTP/1.0 with a length", "POST / HTTP/1.0\r\n" + hostLine + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", "400 closed"},
		{"other encoding names", post + "Transfer_Encoding: chunked\r\nTransferEncoding: chunked\r\n\r\n", "200 open POST body/"},
	})
}
