package fetch

import "strings"

// LoopCount is how many times a request has been through the Node, by the value
// of its CDN-Loop field (RFC 8586); several fields are joined with a comma.
//
// Any comma separates entries, even inside the quotation marks of a parameter:
// a value that a client began with an open quotation mark must not hide the
// entries that follow. The price is that a client can have its own requests
// counted as loops.
func LoopCount(cdnLoop, nodeID string) int {
	count := 0
	for entry := range strings.SplitSeq(cdnLoop, ",") {
		id, _, _ := strings.Cut(entry, ";")
		if strings.EqualFold(strings.Trim(id, " \t"), loopID(nodeID)) {
			count++
		}
	}
	return count
}

// Loops is LoopCount for the Client's Node.
func (c *Client) Loops(cdnLoop string) int { return LoopCount(cdnLoop, c.cfg.NodeID) }

// appendLoop adds the Node's entry to a field's value. A value that could not
// be sent is replaced; it can't have come from a Node.
func appendLoop(cdnLoop, nodeID string) string {
	cdnLoop = strings.Trim(cdnLoop, " \t")
	if cdnLoop == "" || strings.ContainsFunc(cdnLoop, isControl) {
		return loopID(nodeID)
	}
	return cdnLoop + ", " + loopID(nodeID)
}

func loopID(nodeID string) string { return "mayfly-" + nodeID }
