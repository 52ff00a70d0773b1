package memstore

import (
	"maps"
	"slices"

	"sluice/buffer"
)

// table has a value for each of some ids. It looks through few one by one, which is faster than a map.
type table[V any] struct {
	ids    []buffer.SpanID
	values []V                   // by place in ids
	places map[buffer.SpanID]int // in ids; nil while there are few
}

// few is up to how many ids are looked through one by one.
const few = 40

// find returns the place of an id, -1 if it has none.
func (t *table[V]) find(id buffer.SpanID) int {
	if t.places != nil {
		if at, known := t.places[id]; known {
			return at
		}
		return -1
	}
	at := len(t.ids) - 1
	for at >= 0 && t.ids[at] != id {
		at--
	}
	return at
}

// of returns the value of an id, nil if it has none. It is valid until the next change.
func (t *table[V]) of(id buffer.SpanID) *V {
	if at := t.find(id); at >= 0 {
		return &t.values[at]
	}
	return nil
}

// add adds an id that has no value, as the last one.
func (t *table[V]) add(id buffer.SpanID, value V) {
	if t.places == nil && len(t.ids) == few {
		t.places = make(map[buffer.SpanID]int, 2*few)
		for at, id := range t.ids {
			t.places[id] = at
		}
	}
	if t.places != nil {
		t.places[id] = len(t.ids)
	}
	t.ids, t.values = append(t.ids, id), append(t.values, value)
}

// drop forgets an id, whose place the last one takes.
func (t *table[V]) drop(id buffer.SpanID) {
	at, last := t.find(id), len(t.ids)-1
	if at < 0 {
		return
	}
	if t.places != nil {
		delete(t.places, id)
		if at < last {
			t.places[t.ids[last]] = at
		}
	}
	t.ids[at], t.values[at] = t.ids[last], t.values[last]
	clear(t.values[last:])
	t.ids, t.values = t.ids[:last], t.values[:last]
}

// clear forgets all of a few.
func (t *table[V]) clear() {
	clear(t.values)
	t.ids, t.values = t.ids[:0], t.values[:0]
}

// clone returns an independent copy.
func (t *table[V]) clone() table[V] {
	return table[V]{slices.Clone(t.ids), slices.Clone(t.values), maps.Clone(t.places)}
}
