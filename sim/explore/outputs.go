package explore

import (
	"fmt"
	"slices"

	"sluice/buffer"
)

// outputs gives numbers to what came out: sets of records.
type outputs struct {
	renamings []renaming
	marks     map[buffer.SpanID]uint32
	byHash    map[uint64]int32
	all       []output
	edges     map[outputKey]outputEdge
	records   *table
}

type output struct {
	records []int32
	hashes  []uint64 // by renaming
	spans   uint32   // marks
}

type outputKey struct{ from, record int32 }

type outputEdge struct {
	to     int32
	repeat repeat
	wrong  string
}

// repeat tells what of a record was out before.
type repeat uint8

const (
	repeatNothing repeat = iota
	repeatRecord
	repeatSpan // in another segment
)

func newOutputs(rs []renaming) *outputs {
	o := &outputs{
		renamings: rs, byHash: make(map[uint64]int32), edges: make(map[outputKey]outputEdge),
		records: newTable(rs),
	}
	o.number(nil, 0)
	return o
}

// add returns what is out once a record is, and what is wrong with that.
func (o *outputs) add(from int32, r record) outputEdge {
	key := outputKey{from, o.records.number(r)}
	if e, ok := o.edges[key]; ok {
		return e
	}
	e := outputEdge{to: from}
	before := o.all[from]
	var spans uint32
	for _, id := range r.Spans {
		spans |= o.marks[id]
	}
	switch {
	case slices.Contains(before.records, key.record):
		e.repeat = repeatRecord
	default:
		if before.spans&spans != 0 {
			e.repeat = repeatSpan
		}
		for _, n := range before.records {
			if other := o.records.values[n].(record); other.Generation == r.Generation {
				e.wrong = fmt.Sprintf("not repeated as it was: %s, and then %s", recordName(other), recordName(r))
			}
		}
		e.to = o.with(before, key.record, spans)
	}
	o.edges[key] = e
	return e
}

func (o *outputs) with(before output, record int32, spans uint32) int32 {
	return o.number(append(slices.Clone(before.records), record), before.spans|spans)
}

// without forgets how a record was; its spans stay out.
func (o *outputs) without(from, record int32) int32 {
	key := outputKey{from, ^record}
	if e, ok := o.edges[key]; ok {
		return e.to
	}
	kept := slices.DeleteFunc(slices.Clone(o.all[from].records), func(n int32) bool { return n == record })
	to := o.number(kept, o.all[from].spans)
	o.edges[key] = outputEdge{to: to}
	return to
}

func (o *outputs) number(records []int32, spans uint32) int32 {
	after := output{records: records, spans: spans}
	for i, r := range o.renamings { // a sum has no order
		h := uint64(0)
		for id, mark := range o.marks { //order-free: a sum
			if spans&mark != 0 {
				h += mix(23, r.digest(id))
			}
		}
		for _, n := range records {
			h += mix(22, o.records.hashes[n][i])
		}
		after.hashes = append(after.hashes, h)
	}
	if n, ok := o.byHash[after.hashes[0]]; ok {
		return n
	}
	n := int32(len(o.all))
	o.byHash[after.hashes[0]] = n
	o.all = append(o.all, after)
	return n
}
