package ledger

import (
	"cmp"
	"slices"
	"time"
)

// Incident is what is wrong unless a cause excuses it, with what a cause must have touched: a
// shard, in some time. Times are since the start of the load.
type Incident struct {
	// Kind is Split, Duplicated, Resent, Repeated or RepeatedLetter.
	Kind Finding
	// Shard is the partition that the spans were sent to.
	Shard int32
	// From is when it began: for a repeat when the first record was read; for what came out under two
	// flush ids, and for letters, when it was due to be sent; for a split when the first span of its
	// trace was. To is when it was read.
	From, To time.Duration
	// Spans, or letters, of the same kind, shard and time, to the second; for splits and Resent those
	// of one trace.
	Spans int64
	// First is the first of them in words.
	First string
}

// incidentsMax is how many incidents are kept. Of further ones only the number is known.
const incidentsMax = 1 << 15

// incidentKey says what is kept as one.
type incidentKey struct {
	kind     Finding
	root     uint64 // of splits and Resent
	shard    int32
	from, to int32 // seconds
}

// happened enters an incident of a span.
func (l *Ledger) happened(
	kind Finding, r *Record, from time.Duration, is identity, format string, args ...any,
) {
	l.found(kind, r, format, args...)
	key := incidentKey{kind: kind, shard: l.recipe.Partition(is.root),
		from: int32(from / time.Second), to: int32(r.At / time.Second)}
	if kind == Split || kind == Resent {
		key.root, key.from = is.root, 0
	}
	if known := l.incidents[key]; known != nil {
		known.Spans++
		known.From, known.To = min(known.From, from), max(known.To, r.At)
		return
	}
	if len(l.incidents) >= incidentsMax && !l.makeRoom() {
		l.uncounted[kind]++
		return
	}
	if kind == Split || kind == Resent {
		from = l.began(is.root)
	}
	l.incidents[key] = &Incident{Kind: kind, Shard: key.shard, From: from, To: r.At, Spans: 1,
		First: wording(r, format, args...)}
}

// began returns when the first span of a trace was due.
func (l *Ledger) began(root uint64) time.Duration {
	l.in.Lock()
	defer l.in.Unlock()
	first := time.Duration(-1)
	for seq := root; seq < root+uint64(l.recipe.Size(root)); seq++ {
		if l.sent.has(seq) && (first < 0 || l.due.of(seq) < first) {
			first = l.due.of(seq)
		}
	}
	return max(first, 0)
}

// makeRoom drops the incidents that the load explains, and tells whether there were any. It is not
// tried again until there can be some more.
func (l *Ledger) makeRoom() bool {
	if l.uncountedAll()%1024 != 0 {
		return false
	}
	before := len(l.incidents)
	l.in.Lock()
	defer l.in.Unlock()
	for key := range l.incidents { //order-free: each by itself
		if l.explained(key) {
			delete(l.incidents, key)
		}
	}
	return len(l.incidents) < before
}

func (l *Ledger) uncountedAll() (sum int64) {
	for _, n := range l.uncounted {
		sum += n
	}
	return sum
}

// explained tells whether the load itself, or a size cut-off, explains why spans of a trace came
// out apart. in must be locked.
func (l *Ledger) explained(key incidentKey) bool {
	if key.kind != Split && key.kind != Resent {
		return false
	}
	if l.late.has(key.root) || l.cutRoots.has(key.root) {
		return true
	}
	if key.kind != Split || !l.apart.has(key.root) && !l.fellSilent(key.root) {
		return false
	}
	l.apart.set(key.root)
	return true
}

// unexplained returns the incidents that the load does not explain, in the order in which they were
// read. in must be locked.
func (l *Ledger) unexplained() []Incident {
	var list []Incident
	for key, is := range l.incidents { //order-free: sorted below
		if !l.explained(key) {
			list = append(list, *is)
		}
	}
	slices.SortFunc(list, func(a, b Incident) int {
		return cmp.Or(cmp.Compare(a.To, b.To), cmp.Compare(a.From, b.From), cmp.Compare(a.Shard, b.Shard),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.First, b.First))
	})
	return list
}

// Late says that a span of the trace with that root reaches the system so late that its segment may
// be gone by then, through no fault of the system.
func (l *Ledger) Late(root uint64) {
	l.in.Lock()
	defer l.in.Unlock()
	l.late.set(root)
}
