package inject

import (
	"context"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/flusher"
	"sluice/internal/portfault"
)

// rig is what faults are between: callers of ports, and the store, broker and source behind them.
// All that happens behind is in its log, in order.
type rig struct {
	consumer consumer.Ports
	worker   flusher.WorkerPorts
	log      []string
	hear     bool
}

// newRig returns a consumer and a worker with the same faults.
func newRig(t *testing.T, faults string) *rig {
	t.Helper()
	list, err := portfault.Parse(faults)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{}
	crash := func() { r.note("crash") }
	r.consumer = consumer.Ports{
		Clock: clock{log: r}, Store: logged{log: r}, Source: input{log: r},
		DeadLetters: broker{r, portfault.DeadLetter},
		Memory:      watched{log: r}, Auditor: watched{log: r}, Spawner: started{log: r}, Tasks: tasks{r},
	}
	r.worker = flusher.WorkerPorts{
		Clock: clock{log: r}, Store: logged{log: r}, Producer: broker{r, portfault.Produce},
	}
	Consumer(list, &r.consumer, crash, r.heard)
	Worker(list, &r.worker, crash, r.heard)
	return r
}

// heard notes when a fault hits, if the test wants to know.
func (r *rig) heard(f portfault.Fault) {
	if r.hear {
		r.note("hit by " + string(f.Kind))
	}
}

func (r *rig) note(what string) { r.log = append(r.log, what) }

// call calls a port once, and tells whether there was an answer.
func (r *rig) call(ctx context.Context, port portfault.Port) (answer bool, err error) {
	switch port {
	case portfault.StoreAttach:
		a, err := r.consumer.Store.Attach(ctx, buffer.Delivery{}, nil)
		return a != nil, err
	case portfault.StoreEnqueue:
		return false, r.consumer.Store.Enqueue(ctx, 0, buffer.QueueUpdate{})
	case portfault.StoreFence:
		a, err := r.consumer.Store.Fence(ctx, 0, buffer.AnyEpoch)
		return a.Owner.Epoch > 0, err
	case portfault.StoreLease:
		a, err := r.worker.Store.Lease(ctx, buffer.Owner{}, 0, 1)
		return a.Due != nil, err
	case portfault.StoreClaim:
		a, err := r.worker.Store.Claim(ctx, buffer.Owner{}, nil)
		return a != nil, err
	case portfault.StoreLoad:
		a, err := r.worker.Store.Load(ctx, buffer.Owner{}, nil)
		return a != nil, err
	case portfault.StoreAck:
		a, err := r.worker.Store.Ack(ctx, buffer.Owner{}, nil)
		return a != nil, err
	case portfault.StoreRelease:
		return false, r.worker.Store.Release(ctx, buffer.Owner{}, buffer.Release{})
	case portfault.Produce:
		return false, r.worker.Producer.Produce(ctx, flusher.Record{}).Wait(ctx)
	case portfault.DeadLetter:
		return false, r.consumer.DeadLetters.Produce(ctx, flusher.Record{}).Wait(ctx)
	case portfault.SourcePoll:
		a, err := r.consumer.Source.Poll(ctx, 1, time.Second)
		return a.InTouch, err
	case portfault.SourceCommit:
		return false, r.consumer.Source.Commit(ctx, nil)
	case portfault.StoreMemory:
		a, err := r.consumer.Memory.Memory(ctx)
		return a != nil, err
	case portfault.StoreBeat:
		a, err := r.consumer.Auditor.Beat(ctx, 1)
		return a != nil, err
	case portfault.StoreSweep:
		a, err := r.consumer.Auditor.Sweep(ctx, "", 1)
		return a.Traces > 0, err
	case portfault.StoreAdopt:
		a, err := r.consumer.Auditor.Adopt(ctx, 0, 0, 0, nil)
		return a != nil, err
	case portfault.SpawnerStart:
		a, err := r.consumer.Spawner.Start(ctx, flusher.WorkerSpec{})
		return a != nil, err
	case portfault.SpawnerStop, portfault.SpawnerKill:
		worker, err := r.consumer.Spawner.Start(ctx, flusher.WorkerSpec{})
		r.log = nil // the start is not the matter here
		if port == portfault.SpawnerStop {
			worker.Stop()
		} else {
			worker.Kill()
		}
		return false, err
	}
	panic("no port " + port)
}

type clock struct {
	flusher.Clock
	log *rig
}

func (c clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.log.note("sleep " + d.String())
	return nil
}

// logged is a Store that answers everything with something.
type logged struct{ log *rig }

func (l logged) Attach(
	context.Context, buffer.Delivery, []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	l.log.note(string(portfault.StoreAttach))
	return []buffer.Attached{{}}, nil
}

func (l logged) Enqueue(context.Context, buffer.Shard, buffer.QueueUpdate) error {
	l.log.note(string(portfault.StoreEnqueue))
	return nil
}

func (l logged) Fence(context.Context, buffer.Shard, buffer.Epoch) (buffer.Fenced, error) {
	l.log.note(string(portfault.StoreFence))
	return buffer.Fenced{Owner: buffer.Owner{Epoch: 1}}, nil
}

func (l logged) Lease(
	context.Context, buffer.Owner, buffer.Instant, int,
) (buffer.Leased, error) {
	l.log.note(string(portfault.StoreLease))
	return buffer.Leased{Due: []buffer.Due{{}}}, nil
}

func (l logged) Claim(
	context.Context, buffer.Owner, []buffer.Generation,
) ([]buffer.Claim, error) {
	l.log.note(string(portfault.StoreClaim))
	return []buffer.Claim{{}}, nil
}

func (l logged) Load(
	context.Context, buffer.Owner, []buffer.Generation,
) ([]buffer.Loaded, error) {
	l.log.note(string(portfault.StoreLoad))
	return []buffer.Loaded{{}}, nil
}

func (l logged) Ack(
	context.Context, buffer.Owner, []buffer.Flushed,
) ([]buffer.AckResult, error) {
	l.log.note(string(portfault.StoreAck))
	return []buffer.AckResult{0}, nil
}

func (l logged) Release(context.Context, buffer.Owner, buffer.Release) error {
	l.log.note(string(portfault.StoreRelease))
	return nil
}

type input struct {
	flusher.Source
	log *rig
}

func (i input) Poll(context.Context, int, time.Duration) (flusher.Fetch, error) {
	i.log.note(string(portfault.SourcePoll))
	return flusher.Fetch{InTouch: true}, nil
}

func (i input) Commit(context.Context, []flusher.Message) error {
	i.log.note(string(portfault.SourceCommit))
	return nil
}

type broker struct {
	log  *rig
	port portfault.Port
}

func (b broker) Produce(context.Context, flusher.Record) flusher.Future {
	b.log.note(string(b.port))
	return refused{nil}
}

func (b broker) Flush(context.Context) error { return nil }

// watched is the memory and the audit of a store that answers everything with something.
type watched struct{ log *rig }

func (w watched) Memory(context.Context) ([]buffer.NodeMemory, error) {
	w.log.note(string(portfault.StoreMemory))
	return []buffer.NodeMemory{{}}, nil
}

func (w watched) Beat(context.Context, uint64) ([]buffer.Pulse, error) {
	w.log.note(string(portfault.StoreBeat))
	return []buffer.Pulse{{}}, nil
}

func (w watched) Sweep(context.Context, string, int) (buffer.Swept, error) {
	w.log.note(string(portfault.StoreSweep))
	return buffer.Swept{Traces: 1}, nil
}

func (w watched) Adopt(
	context.Context, buffer.Shard, buffer.Instant, time.Duration, []buffer.Generation,
) ([]buffer.Generation, error) {
	w.log.note(string(portfault.StoreAdopt))
	return []buffer.Generation{{}}, nil
}

// started is a spawner whose workers hear what they are told.
type started struct{ log *rig }

func (s started) Start(context.Context, flusher.WorkerSpec) (flusher.Handle, error) {
	s.log.note(string(portfault.SpawnerStart))
	return told{log: s.log}, nil
}

type told struct {
	flusher.Handle
	log *rig
}

func (w told) Stop() { w.log.note(string(portfault.SpawnerStop)) }

func (w told) Kill() { w.log.note(string(portfault.SpawnerKill)) }

// tasks are done at once, and noted.
type tasks struct{ log *rig }

func (t tasks) Go(_ string, fn func()) flusher.Task {
	t.log.note("task")
	fn()
	return nil
}
