// Package audit keeps a log of who changed what on a node: JSON, one object per
// line, appended and synced to disk before the change is answered. It holds names
// and ids, never values, texts of secrets or tokens. Start reading at Log; Read
// checks a log.
//
// Each line has the SHA-256 of the line before ("prev"; random in the first line)
// and of itself ("sum"), so a change of any byte is found. Who may write the file
// can still write all of it anew, or cut lines off its end: note a sum elsewhere
// from time to time, or send the lines to another machine, where that matters.
package audit
