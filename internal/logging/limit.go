package logging

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// warningsMax is how many warnings of a kind are logged within repeatsIn, and repeatsMax how many
	// records of another level; what is more is counted. One cause makes many warnings, one for each
	// shard or attempt.
	warningsMax = 5
	repeatsMax  = 30
	repeatsIn   = 10 * time.Second
	// kindsMax bounds the kinds that are known: messages are constants, but not all are ours.
	kindsMax = 1000
)

// Limit is a handler that passes on a few records of each kind and counts the others. A kind is a
// level and a message, whatever the attributes. Once its time is over, one more record of the kind
// says how many were left out.
type Limit struct {
	next slog.Handler
	*counts
}

var _ slog.Handler = Limit{}

// counts are shared by all handlers that were derived from one.
type counts struct {
	sums  slog.Handler // for what is said of all records of a kind
	mu    sync.Mutex
	kinds map[kind]*repeats
}

type kind struct {
	level   slog.Level
	message string
}

type repeats struct{ logged, left int }

// NewLimit returns a limit before a handler.
func NewLimit(next slog.Handler) Limit {
	return Limit{next, &counts{sums: next, kinds: make(map[kind]*repeats)}}
}

// Enabled is the next handler's.
func (l Limit) Enabled(ctx context.Context, level slog.Level) bool { return l.next.Enabled(ctx, level) }

// WithAttrs is the next handler's. Records with and without the attributes are of one kind.
func (l Limit) WithAttrs(attrs []slog.Attr) slog.Handler {
	return Limit{l.next.WithAttrs(attrs), l.counts}
}

// WithGroup is the next handler's.
func (l Limit) WithGroup(name string) slog.Handler { return Limit{l.next.WithGroup(name), l.counts} }

// Handle passes the record on, or counts it.
func (l Limit) Handle(ctx context.Context, record slog.Record) error {
	if !l.pass(kind{record.Level, record.Message}) {
		return nil
	}
	return l.next.Handle(ctx, record)
}

// pass counts a record and tells whether it is to be logged. The first of a kind begins its time.
func (l Limit) pass(k kind) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.kinds[k]
	if r == nil && len(l.kinds) >= kindsMax {
		return true
	}
	if r == nil {
		r = &repeats{}
		l.kinds[k] = r
		time.AfterFunc(repeatsIn, func() { l.sum(k) })
	}
	most := repeatsMax
	if k.level == slog.LevelWarn {
		most = warningsMax
	}
	if r.logged < most {
		r.logged++
		return true
	}
	r.left++
	return false
}

// Flush says at the end of the program what was left out so far.
func (l Limit) Flush() {
	l.mu.Lock()
	kinds := slices.Collect(maps.Keys(l.kinds))
	l.mu.Unlock()
	for _, k := range kinds {
		l.sum(k)
	}
}

// sum ends the time of a kind, if Flush has not.
func (l Limit) sum(k kind) {
	l.mu.Lock()
	r := l.kinds[k]
	delete(l.kinds, k)
	l.mu.Unlock()
	if r == nil || r.left == 0 {
		return
	}
	record := slog.NewRecord(time.Now(), k.level, k.message, 0)
	record.AddAttrs(slog.Int("more_of_these", r.left), slog.Duration("within", repeatsIn))
	_ = l.sums.Handle(context.Background(), record) // nobody else can be told
}

// Options are those of a handler that writes levels from one on, and durations in words: 1.5s, where
// JSON would have 1500000000.
func Options(level slog.Leveler) *slog.HandlerOptions {
	return &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration {
			a.Value = slog.StringValue(a.Value.Duration().String())
		}
		return a
	}}
}
