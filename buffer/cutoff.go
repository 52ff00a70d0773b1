package buffer

import (
	"crypto/sha1"
	"strconv"
)

// CutOffSegment returns the id of the segment that newcomers form when a size cut-off keeps them
// out of the target: the first 8 bytes of
//
//	SHA-1("project:trace:target:first")
//
// in text form, where first is the first of the newcomers that was not stored before. A batch that
// is delivered again therefore finds the segment, whatever its cut. Redis computes the same sum
// inside its script. The hash guards against accidents, not against forgery.
func CutOffSegment(trace TraceKey, target, first SpanID) SpanID {
	sum := sha1.Sum([]byte(strconv.FormatInt(int64(trace.Project), 10) + ":" +
		trace.Trace.String() + ":" + target.String() + ":" + first.String()))
	return SpanID(sum[:8])
}
