package ledger

import "fmt"

// Finding is a kind of thing that is wrong with the output, or worth a count.
type Finding int

// The findings.
const (
	// Malformed: a record that is not {"flush_id":..,"spans":[..]} with its headers.
	Malformed Finding = iota
	// Unknown: a span that was never sent.
	Unknown
	// Altered: a span whose fields are not those that were sent, or not those that the flusher
	// must set; or a dead letter that is not, byte by byte, what was sent, or that does not say why
	// it is one and where it stood.
	Altered
	// Misplaced: a span under a segment id that is none of its ancestors, or in the wrong trace.
	Misplaced
	// Split: a span under the id of an ancestor that is not its root.
	Split
	// CutOff: a span in a segment that a size cut-off made. It is not a fault.
	CutOff
	// Repeated: a span in a record that is a repeat, byte by byte, of one that came before. Faults
	// may cause it.
	Repeated
	// Differing: a record with the flush_id of another and other bytes.
	Differing
	// Duplicated: a span that came out before in a record of another flush_id, though it was sent
	// once, or came out so twice before.
	Duplicated
	// Resent: a span that was sent twice, and came out a second time in a record of another flush_id,
	// or of another generation that held the same, or as a dead letter.
	Resent
	// Leaked: a bad message that came out as a span.
	Leaked
	// Refused: a span in the dead-letter topic that is not bad, and that a record would have taken.
	Refused
	// RepeatedLetter: a dead letter of what was in the dead-letter topic before. Faults may cause
	// it.
	RepeatedLetter
	// Strayed: a record on another partition than its key says.
	Strayed
	// Disordered: a span behind one of its trace that was delivered later.
	Disordered
	findings
)

var findingNames = [findings]string{
	"malformed record", "unknown span", "altered span", "misplaced span", "split span",
	"cut-off span", "repeated span", "differing repeat", "duplicated span",
	"resent span", "bad message taken for a span", "good span in the dead-letter topic",
	"repeated dead letter",
	"stray record", "span out of order",
}

// String returns the finding's name, as it stands in results.
func (f Finding) String() string {
	if f >= 0 && f < findings {
		return findingNames[f]
	}
	return "unknown finding"
}

// Found is how often a finding was made, and the first time in words.
type Found struct {
	Count int64
	First string
}

// String returns "3 split spans, first: ...".
func (f Found) String() string {
	if f.Count == 0 {
		return "none"
	}
	return fmt.Sprintf("%d, first: %s", f.Count, f.First)
}

func (l *Ledger) found(kind Finding, r *Record, format string, args ...any) {
	f := &l.findings[kind]
	f.Count++
	if f.Count == 1 {
		f.First = wording(r, format, args...)
	}
}

// wording says where and what.
func wording(r *Record, format string, args ...any) string {
	return fmt.Sprintf("%v, read at %.1fs: %s", r, r.At.Seconds(), fmt.Sprintf(format, args...))
}
