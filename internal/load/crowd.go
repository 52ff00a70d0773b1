package load

// Crowds follows the messages that are sent, and tells where of those next to each other in a partition
// most have wrong timestamps: there nobody can tell which are right.
type Crowds struct {
	last map[int32]*neighbours
	// Count is how many messages were in a crowd.
	Count int64
}

const (
	// near is among how many messages a crowd is seen, and crowd is how many of them are skewed then.
	near  = 8
	crowd = 5
)

// neighbours are the last messages of a partition.
type neighbours struct {
	roots  [near]uint64
	skewed [near]bool
	sent   int
	// after is of how many that are still to come the clocks are judged by the crowd's, too.
	after int
}

// Sent takes note of the next message, and returns the roots of the traces that a crowd may have harmed.
// They are valid until the next call.
func (c *Crowds) Sent(m *Message) (harmed []uint64) {
	if c.last == nil {
		c.last = map[int32]*neighbours{}
	}
	n := c.last[m.Partition]
	if n == nil {
		n = &neighbours{}
		c.last[m.Partition] = n
	}
	at := n.sent % near
	n.roots[at], n.skewed[at] = m.Root, m.Skewed
	n.sent++
	skewed := 0
	for _, is := range n.skewed {
		if is {
			skewed++
		}
	}
	switch {
	case skewed >= crowd:
		c.Count++
		n.after = near
		return n.roots[:min(n.sent, near)]
	case n.after > 0:
		n.after--
		return n.roots[at : at+1]
	}
	return nil
}
