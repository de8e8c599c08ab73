// Package audit keeps a log of who changed what on a node: JSON, one object per
// line, appended and synced to disk before the change is answered. It holds names
// and ids, never values, texts of secrets or tokens. Start reading at Log; Read
// checks a log.
//
// Each line has the SHA-256 of the line before ("prev"; random in the first line)
// and of itself ("sum"), so a change of any byte is found. Who may write the file
// can still write all of it anew, unless there is a key, with which each sum is
// signed ("mac", HMAC-SHA256; that of the last line is checked with the key alone),
// and can cut lines off its end: note a sum elsewhere
// from time to time, or send the lines to another machine, where that matters.
//
// A log that has become long goes on in another file: PATH.1 is the first, PATH the
// one that is written. Their lines are one chain.
package audit
