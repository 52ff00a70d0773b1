package memstore

import (
	"maps"
	"slices"

	"sluice/buffer"
)

// redirects has an entry for every span of a trace that is stored, so it also tells which are known.
type redirects struct {
	ids []buffer.SpanID
	to  []redirect // by place in ids
	// places are those in ids; nil while few are, for then looking through them is faster.
	places map[buffer.SpanID]int
}

// few is up to how many spans are looked through one by one.
const few = 32

// find returns the place of a span, -1 if it is not known.
func (r *redirects) find(id buffer.SpanID) int {
	if r.places != nil {
		if at, known := r.places[id]; known {
			return at
		}
		return -1
	}
	return slices.Index(r.ids, id)
}

// of returns where a span leads, nil if it is not known. It is valid until the next change.
func (r *redirects) of(id buffer.SpanID) *redirect {
	if at := r.find(id); at >= 0 {
		return &r.to[at]
	}
	return nil
}

// add adds a span that is not known, as the last one.
func (r *redirects) add(id buffer.SpanID, to redirect) {
	if r.places == nil && len(r.ids) == few {
		r.places = make(map[buffer.SpanID]int, 2*few)
		for at, id := range r.ids {
			r.places[id] = at
		}
	}
	if r.places != nil {
		r.places[id] = len(r.ids)
	}
	r.ids, r.to = append(r.ids, id), append(r.to, to)
}

// drop forgets a span, whose place the last one takes.
func (r *redirects) drop(id buffer.SpanID) {
	at, last := r.find(id), len(r.ids)-1
	if at < 0 {
		return
	}
	if r.places != nil {
		delete(r.places, id)
		if at < last {
			r.places[r.ids[last]] = at
		}
	}
	r.ids[at], r.to[at] = r.ids[last], r.to[last]
	r.to[last] = redirect{}
	r.ids, r.to = r.ids[:last], r.to[:last]
}

// clear forgets all spans of a few.
func (r *redirects) clear() {
	clear(r.to)
	r.ids, r.to = r.ids[:0], r.to[:0]
}

// clone returns an independent copy.
func (r *redirects) clone() redirects {
	return redirects{slices.Clone(r.ids), slices.Clone(r.to), maps.Clone(r.places)}
}
