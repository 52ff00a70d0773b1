package explore

import (
	"math/bits"
	"reflect"
	"slices"
	"time"

	"sluice/buffer"
)

// A renaming gives the columns of a system other names: partition i, its shard, its worker and its
// traces become those of column[i]. Two states that differ by a renaming only are one state.
type renaming []int

// digest returns a hash of a value under a renaming. It looks at values only: pointers are followed,
// functions are left out, a time is there or not, and the entries of a map have no order.
func (r renaming) digest(v any) uint64 {
	if v == nil {
		return 1
	}
	w := walker{renaming: r}
	return mix(name(reflect.TypeOf(v)), w.walk(reflect.ValueOf(v)))
}

// name returns a hash of a type's name.
func name(t reflect.Type) uint64 { return text(t.String()) }

func text(s string) uint64 {
	h := uint64(11)
	for _, b := range []byte(s) {
		h = mix(h, uint64(b))
	}
	return h
}

// column returns the new name of a column, or of a shard beyond them: those are dealt to columns in
// turn.
func (r renaming) column(i int) uint64 {
	if i < 0 {
		return uint64(i)
	}
	n := len(r)
	return uint64(r[i%n] + i/n*n)
}

var (
	traceType    = reflect.TypeFor[buffer.TraceID]()
	spanType     = reflect.TypeFor[buffer.SpanID]()
	shardType    = reflect.TypeFor[buffer.Shard]()
	positionType = reflect.TypeFor[buffer.Position]()
	deliveryType = reflect.TypeFor[buffer.DeliveryID]()
	instantType  = reflect.TypeFor[buffer.Instant]()
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	errorType    = reflect.TypeFor[error]()
	systemType   = reflect.TypeFor[*system]()
	lifeType     = reflect.TypeFor[*life]()
	portedType   = reflect.TypeFor[ported]()
	sourceType   = reflect.TypeFor[source]()
)

// walker is on its way through a value.
type walker struct {
	renaming
	open []uintptr // the pointers that were followed to get there: a defect may go in circles
}

func (r *walker) walk(v reflect.Value) uint64 {
	switch v.Type() {
	case timeType: // but for when, whether it was
		if v.IsZero() {
			return 28
		}
		return 2
	case instantType, durationType, systemType: // the same in all states
		return 2
	case lifeType, portedType, sourceType: // below a defect: what they remember is asked for by itself
		return 2
	case traceType, spanType: // the first byte is that of the column, see names
		h := mix(3, r.column(int(v.Index(0).Uint())))
		for i := 1; i < v.Len(); i++ {
			h = mix(h, v.Index(i).Uint())
		}
		return h
	case shardType:
		return mix(5, r.column(int(v.Int())))
	case positionType, deliveryType:
		return mix(mix(6, r.column(int(v.Field(0).Int()))), uint64(v.Field(1).Int()))
	}
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return 7
		}
		return 8
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return mix(9, uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return mix(10, v.Uint())
	case reflect.String:
		return text(v.String())
	case reflect.Slice, reflect.Array:
		h := mix(12, uint64(v.Len()))
		for i := range v.Len() {
			h = mix(h, r.walk(v.Index(i)))
		}
		return h
	case reflect.Map:
		h := mix(13, uint64(v.Len()))
		for entries := v.MapRange(); entries.Next(); { // a sum has no order
			h += mix(r.walk(entries.Key()), r.walk(entries.Value()))
		}
		return mix(h, 14)
	case reflect.Struct:
		h := uint64(15)
		for i := range v.NumField() {
			h = mix(h, r.walk(v.Field(i)))
		}
		return h
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return 16
		}
		if v.Type() == errorType || v.Type().Implements(errorType) {
			if !v.CanInterface() { // what a defect keeps to itself
				return mix(17, name(v.Elem().Type()))
			}
			return mix(17, text(v.Interface().(error).Error()))
		}
		if v.Kind() == reflect.Interface {
			return mix(name(v.Elem().Type()), r.walk(v.Elem()))
		}
		if at := slices.Index(r.open, v.Pointer()); at >= 0 {
			return mix(29, uint64(at))
		}
		r.open = append(r.open, v.Pointer())
		h := mix(18, r.walk(v.Elem()))
		r.open = r.open[:len(r.open)-1]
		return h
	}
	return 19
}

// mix adds a word to a hash: the two halves of a product of both (the core of wyhash).
func mix(h, word uint64) uint64 {
	high, low := bits.Mul64(h^0xA0761D6478BD642F, word^0xE7037ED1A0B428DB)
	return high ^ low
}

// renamings returns the permutations of n columns that fit, the one that changes nothing first.
func renamings(n int, fits func(renaming) bool) []renaming {
	var all []renaming
	var permute func(r renaming, at int)
	permute = func(r renaming, at int) {
		if at == n {
			if fits(r) {
				all = append(all, slices.Clone(r))
			}
			return
		}
		for i := at; i < n; i++ {
			r[at], r[i] = r[i], r[at]
			permute(r, at+1)
			r[at], r[i] = r[i], r[at]
		}
	}
	same := make(renaming, n)
	for i := range same {
		same[i] = i
	}
	permute(same, 0)
	return all
}

func (r renaming) identity() bool {
	for i, to := range r {
		if i != to {
			return false
		}
	}
	return true
}
