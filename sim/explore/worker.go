package explore

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/defects"
)

// idlePause is how a worker's pause is told from one after a failure.
const idlePause = 7 * time.Millisecond

// ported is a store whose steps the search does.
type ported struct {
	*life
	reader reading // whose batches are attached
}

var _ buffer.Store = ported{}

func ask[T any](ctx context.Context, l *life, op any) (v T, err error) {
	got, err := l.ask(ctx, op)
	if got != nil {
		v = got.(T)
	}
	return v, err
}

// Attach implements buffer.Store.
func (p ported) Attach(
	ctx context.Context, d buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	return ask[[]buffer.Attached](ctx, p.life, attach{p.reader.name(p.life, d, traces), traces})
}

// Enqueue implements buffer.Store.
func (p ported) Enqueue(ctx context.Context, shard buffer.Shard, u buffer.QueueUpdate) error {
	_, err := p.ask(ctx, enqueue{shard, u})
	if err == nil {
		p.notes.numbers[triesNumber] = 0
	}
	return err
}

// Fence implements buffer.Store.
func (p ported) Fence(
	ctx context.Context, shard buffer.Shard, last buffer.Epoch,
) (buffer.Fenced, error) {
	return ask[buffer.Fenced](ctx, p.life, fence{shard, last})
}

// Lease implements buffer.Store.
func (p ported) Lease(
	ctx context.Context, owner buffer.Owner, _ buffer.Instant, limit int,
) (buffer.Leased, error) {
	p.notes.flags[sureFlag] = false
	v, err := ask[buffer.Leased](ctx, p.life, lease{owner, limit})
	if err == nil {
		p.notes.flags[sureFlag], p.notes.numbers[epochNumber] = true, int64(owner.Epoch)
		p.notes.flags[moreFlag] = len(v.Due) >= limit
	}
	if limit > 1 { // else the order tells them apart
		for i := range p.held {
			p.held[i].Next = false
		}
	}
	for _, due := range v.Due {
		p.held = append(p.held, holding{Generation: due.Generation, Next: limit > 1})
	}
	return v, err
}

// holding returns what is noted of a generation.
func (l *life) holding(g buffer.Generation) *holding {
	for i := range l.held {
		if l.held[i].Generation == g {
			return &l.held[i]
		}
	}
	return &holding{} // a defect lets go too early
}

// Claim implements buffer.Store.
func (p ported) Claim(
	ctx context.Context, owner buffer.Owner, gs []buffer.Generation,
) ([]buffer.Claim, error) {
	v, err := ask[[]buffer.Claim](ctx, p.life, claim{owner, gs})
	for i := range v {
		h := p.holding(gs[i])
		h.Claim, h.Claimed = v[i], true
	}
	return v, err
}

// Load implements buffer.Store.
func (p ported) Load(
	ctx context.Context, owner buffer.Owner, gs []buffer.Generation,
) ([]buffer.Loaded, error) {
	v, err := ask[[]buffer.Loaded](ctx, p.life, load{owner, gs})
	for i := range v {
		p.holding(gs[i]).Loaded = v[i]
	}
	return v, err
}

// Ack implements buffer.Store.
func (p ported) Ack(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	return ask[[]buffer.AckResult](ctx, p.life, ack{owner, flushed})
}

// Release implements buffer.Store.
func (p ported) Release(ctx context.Context, owner buffer.Owner, r buffer.Release) error {
	_, err := p.ask(ctx, release{owner, r})
	if err == nil {
		p.held = slices.DeleteFunc(p.held, func(h holding) bool {
			if !h.Claimed {
				return false // it was released too early, by a defect, and is in work all the same
			}
			return slices.Contains(r.Done, h.Generation) || slices.ContainsFunc(r.Back,
				func(d buffer.Due) bool { return d.Generation == h.Generation })
		})
	}
	return err
}

// epochNumber is the note under which epoch a worker last leased; sureFlag is set once the answer of
// the last Lease has come, and moreFlag if that was all it may take, so that it leases again before it
// waits for what is on its way.
const (
	epochNumber = 7
	sureFlag    = 1
	moreFlag    = 0
)

// flushing is a worker of one shard.
type flushing struct {
	sys   *system
	Shard buffer.Shard
	Epoch buffer.Epoch
}

func (f flushing) main(l *life) {
	cfg := flusher.DefaultWorkerConfig()
	cfg.MaxFlushSegments, cfg.IdleSleep, cfg.UnseenMax = f.sys.size.Lease, idlePause, math.MaxInt64
	ports := flusher.WorkerPorts{
		Clock: l, Store: ported{life: l}, Producer: outbox{l}, Encoder: plain{}, Reporter: silent{},
	}
	if f.sys.defect.Name != "" {
		defects.Planted{Defect: f.sys.defect}.Worker(&ports, l.process.Kill)
		l.planted = []any{ports.Store, ports.Producer, ports.Reporter}
	}
	spec := flusher.WorkerSpec{Worker: int(f.Shard), Start: 1, Owners: []buffer.Fenced{
		{Owner: buffer.Owner{Shard: f.Shard, Epoch: f.Epoch}},
	}}
	stop, cancel := l.k.WithCancel(context.Background())
	defer cancel()
	l.stop = cancel
	l.err = flusher.RunWorker(context.Background(), stop, cfg, ports, spec)
	if errors.Is(l.err, flusher.ErrFenced) {
		l.err = nil
	}
}

// memory: while nothing fails a worker remembers its epoch and what it holds; and what it asks for
// says where it is. The times and counts that it keeps decide nothing here.
func (f flushing) memory(l *life) (any, bool) {
	if l.failed {
		return nil, false
	}
	return workerMemory{
		f.Shard, buffer.Epoch(l.notes.numbers[epochNumber]), l.calls[0].op, l.held,
		l.notes.flags[moreFlag], l.planted,
	}, true
}

type workerMemory struct {
	Shard buffer.Shard
	Epoch buffer.Epoch
	Op    any
	Held  []holding
	More  bool

	Planted []any
}

func (f flushing) eager(*life, *call) (answer, bool) { return answer{}, false }

// record is what a worker produces.
type record struct {
	Topic      string
	Generation buffer.Generation
	Spans      []buffer.SpanID
}

// plain writes a segment so that a record can be read back without a codec.
type plain struct{}

// Encode returns one chunk.
func (plain) Encode(g buffer.Generation, spans []buffer.Span) ([]buffer.Chunk, error) {
	value := append([]byte(nil), g.Trace[:]...)
	value = append(value, g.Segment[:]...)
	value = append(value, byte(g.ID.Partition), byte(g.ID.Number>>8), byte(g.ID.Number))
	for _, s := range spans {
		value = append(value, s.ID[:]...)
	}
	return []buffer.Chunk{{Count: 1, Spans: spans, Value: value}}, nil
}

func parse(r flusher.Record) record {
	v, read := r.Value, record{Topic: r.Topic}
	read.Generation.Project = project
	v = v[copy(read.Generation.Trace[:], v):]
	v = v[copy(read.Generation.Segment[:], v):]
	read.Generation.ID = buffer.DeliveryID{Partition: int32(v[0]), Number: int64(v[1])<<8 | int64(v[2])}
	for v = v[3:]; len(v) > 0; {
		var id buffer.SpanID
		v = v[copy(id[:], v):]
		read.Spans = append(read.Spans, id)
	}
	return read
}

// outbox is a Producer: what is handed over is on its way until the search lets Kafka have it, or
// the process dies.
type outbox struct{ *life }

// Produce hands over and does not wait.
func (o outbox) Produce(_ context.Context, r flusher.Record) flusher.Future {
	read := parse(r)
	h := o.holding(read.Generation)
	h.Handed++
	o.sent = append(o.sent, handed{h.Handed, read})
	return fate{o.life, wait{read.Generation, h.Handed}}
}

// Flush is not called by workers.
func (outbox) Flush(context.Context) error { return nil }

// handed is a record that was handed over, for the how manieth time.
type handed struct {
	Try    int
	Record record
}

type fate struct {
	l  *life
	op wait
}

// Wait returns what became of the record.
func (f fate) Wait(ctx context.Context) error {
	_, err := f.l.ask(ctx, f.op)
	return err
}

type silent struct{}

// Report says nothing to nobody.
func (silent) Report(flusher.Status) {}

// Fresh neither.
func (silent) Fresh([]time.Duration) {}
