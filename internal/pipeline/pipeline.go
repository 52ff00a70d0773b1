// Package pipeline wires a consumer to the wall clock: input topic, buffer in Redis, workers,
// output topic. cmd/run is a shell around it, and so is the harness on the wall clock.
//
// A program that uses it calls process.MaybeChild first in main: worker processes are the program
// itself, started again.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/buffer/redisstore"
	"sluice/consumer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/kafkaio"
	"sluice/internal/process"
	"sluice/internal/process/worker"
	"sluice/internal/route"
	"sluice/internal/wallclock"
)

// Pipeline is a consumer on the wall clock, whose servers have answered.
type Pipeline struct {
	*consumer.Consumer

	cfg       Config
	log       *slog.Logger
	kafka     kafkaio.Config
	store     *redisstore.Store
	letters   *kafkaio.Producer
	spawner   spawner
	brokers   kafkaio.Brokers // that cannot be reached, by any client
	ended     atomic.Bool
	freshness freshness
	source    *kafkaio.Source
	slopes    slopes
	setBacks  setBacks
	others    otherSlices
	evicting  evicting

	adoptedMu sync.Mutex
	adoptedAt time.Time // when last a segment was found that no queue named
}

// spawner is what processes and goroutines have in common.
type spawner interface {
	flusher.Spawner
	Pids() map[int]int
	Usage() map[int]process.Usage
	Close()
}

// Open connects to the servers, checks that they are fit and that the topics are there (or creates
// them), and reads nothing yet. Errors name the server's address and the cause.
func Open(ctx context.Context, cfg Config) (_ *Pipeline, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Pipeline{cfg: cfg, log: cfg.log(), brokers: kafkaio.NewBrokers(nil)}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if p.kafka, err = cfg.Kafka.Connection(p.log); err != nil {
		return nil, err
	}
	if err := p.checkServers(ctx); err != nil {
		return nil, err
	}
	if err := p.checkStranded(ctx); err != nil {
		return nil, err
	}
	p.letters, err = kafkaio.NewProducer(ctx, p.client("dead-letters"),
		cfg.producer(cfg.DeadLetterTopic))
	if err != nil {
		return nil, err
	}
	if p.spawner, err = cfg.spawner(p.log); err != nil {
		return nil, err
	}
	return p, p.join()
}

// client is what a Kafka client of that name is made with.
func (p *Pipeline) client(name string) kafkaio.Config {
	c := p.kafka
	c.Hooks = []kgo.Hook{p.brokers}
	if p.cfg.Hooks != nil {
		c.Hooks = append(c.Hooks, p.cfg.Hooks(name)...)
	}
	return c
}

// checkServers looks at both servers, so that both errors are seen at once.
func (p *Pipeline) checkServers(ctx context.Context) error {
	kafka := make(chan error, 1)
	go func() {
		err := p.checkTopics(ctx)
		kafka <- Advised(ctx, err, p.cfg.Kafka.Routes, p.cfg.Kafka.Brokers, p.cfg.Kafka.TLS.Enabled)
	}()
	var err error
	p.store, err = p.cfg.Redis.Open(ctx, p.log, p.cfg.Options.MaxSegmentBytes, p.kafka.CheckTimeout)
	err = Advised(ctx, err, p.cfg.Redis.Routes, p.cfg.Redis.Addresses, p.cfg.Redis.TLS.Enabled)
	if err == nil {
		for _, doubt := range p.store.Doubts() {
			p.log.Warn(doubt)
		}
		trial, cancel := context.WithTimeout(ctx, p.kafka.CheckTimeout)
		defer cancel()
		if err = p.store.Rehearse(trial); err == nil {
			err = p.store.Enter(trial)
		}
	}
	return errors.Join(err, <-kafka)
}

// Advised adds to the error of servers that could not be talked to that one side speaks TLS and the
// other does not, if that is so. It is for the start alone, since it takes its time.
func Advised(
	ctx context.Context, err error, routes map[string]string, addresses []string, private bool,
) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	for _, address := range addresses {
		if advice := route.TLSAdvice(ctx, routes, address, private); advice != "" {
			return fmt.Errorf("%w%s", err, advice)
		}
	}
	return err
}

func (p *Pipeline) checkTopics(ctx context.Context) error {
	if !p.cfg.CreateTopics {
		return kafkaio.Check(ctx, p.kafka, p.cfg.topics()...)
	}
	created, err := kafkaio.CreateTopics(ctx, p.kafka, p.cfg.Partitions, p.cfg.Replication,
		p.cfg.topics()...)
	if len(created) > 0 {
		p.log.Info("topics created", "topics", created)
	}
	return err
}

func (c Config) spawner(log *slog.Logger) (spawner, error) {
	settings, err := c.Encode()
	if err != nil {
		return nil, err
	}
	role := workerRole
	if c.Workers != nil {
		if role, settings, err = c.Workers(settings); err != nil {
			return nil, err
		}
	}
	workers := worker.Config{
		Role: role, Settings: settings, Limits: c.Limits, Clock: wallclock.Clock{}, Log: log,
	}
	if c.Mode == ModeGoroutine {
		return worker.NewGoroutines(workers)
	}
	return worker.NewProcesses(workers)
}

// join makes the source and the consumer. The source joins the group at once, and the group waits
// only so long for a member that does not poll: Run is to follow.
func (p *Pipeline) join() (err error) {
	from := p.cfg.source()
	from.Starts = p.onStarts
	if p.source, err = kafkaio.NewSource(p.client("source"), from); err != nil {
		return err
	}
	p.others.inTouch = p.source.InTouch
	cfg := consumer.Config{
		Flusher: p.cfg.Flusher, Ingest: p.cfg.own().Ingest,
		Audit: consumer.DefaultAudit(rand.Uint64()),
	}
	ports := consumer.Ports{
		Clock:        wallclock.Clock{},
		Tasks:        wallclock.Tasks{},
		Source:       p.source,
		Store:        p.store,
		Decoder:      codec.New(p.cfg.Options.MaxSegmentBytes),
		DeadLetters:  p.letters,
		Spawner:      p.spawner,
		KillWorkers:  p.spawner.Close,
		Memory:       p.store,
		Auditor:      rounds{p.store, p.onRound, p.others.pause},
		AuditEvents:  p.onAudit,
		KillSwitch:   p.cfg.KillSwitch,
		Events:       p.onFlusher,
		IngestEvents: p.onIngest,
		Fresh:        p.onFresh,
	}
	if p.cfg.Wrap != nil {
		p.cfg.Wrap(&ports)
	}
	p.Consumer, err = consumer.New(cfg, ports)
	return err
}

// Run runs the consumer, whose contract is Run's; after that nothing is alive or ready.
func (p *Pipeline) Run(ctx, stop context.Context) error {
	defer p.ended.Store(true)
	watched, unwatch := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { p.watchEvicting(watched) })
	defer watch.Wait()
	defer unwatch()
	return p.Consumer.Run(ctx, stop)
}

// Close ends every worker and every connection. It is to be called once, after Run has returned,
// or instead of it.
func (p *Pipeline) Close() {
	if p.spawner != nil {
		p.spawner.Close()
	}
	if p.source != nil {
		p.source.Close()
	}
	if p.letters != nil {
		p.letters.Close()
	}
	if p.store != nil {
		p.store.Close()
	}
}

// Pids returns the process numbers of the workers that run, by worker; none for goroutines.
func (p *Pipeline) Pids() map[int]int { return p.spawner.Pids() }

// Usage returns what each worker process that runs has used so far, by worker.
func (p *Pipeline) Usage() map[int]process.Usage { return p.spawner.Usage() }

// Depth is how many segments of a shard wait in Redis.
type Depth struct {
	redisstore.Depth
	// Overdue is how long the oldest of them has been due, by the shard's clock; 0 if none is.
	Overdue time.Duration
}

// Depths counts what waits of the assigned shards. If Redis does not answer for some of them, it returns
// the others and an error.
func (p *Pipeline) Depths(ctx context.Context) (map[buffer.Shard]Depth, error) {
	answered := p.source.AnsweredSince()
	shards, paused := assigned(p.Counters().Partitions, answered)
	v := view{wall: buffer.InstantOf(time.Now()), unseen: p.cfg.own().Worker.UnseenMax, paused: paused,
		answered: answered}
	return v.depths(ctx, p.store, shards)
}

// assigned returns the shards that are ours, and since when we do not look at the input of which, though
// brokers have answered all the while.
func assigned(
	partitions []ingest.PartitionCounters, answered time.Time,
) (shards []buffer.Shard, paused map[buffer.Shard]buffer.Instant) {
	paused = make(map[buffer.Shard]buffer.Instant)
	for _, c := range partitions {
		if !c.Assigned {
			continue
		}
		shard := buffer.Shard(c.Partition)
		shards = append(shards, shard)
		if c.Paused != "" && !answered.IsZero() {
			paused[shard] = max(c.PausedAt, buffer.InstantOf(answered))
		}
	}
	return shards, paused
}

// view is what is seen of the input at a time, which is how far the clocks of shards run.
type view struct {
	wall   buffer.Instant
	unseen time.Duration // a clock runs on for so long while nobody sees the input
	// paused is since when we do not look at the input of which shards, though brokers have answered all
	// the while.
	paused   map[buffer.Shard]buffer.Instant
	answered time.Time // since when brokers answer; zero if they do not
}

// depths counts what waits in shards.
func (v view) depths(
	ctx context.Context, store *redisstore.Store, shards []buffer.Shard,
) (map[buffer.Shard]Depth, error) {
	counted, err := store.Depths(ctx, shards, v.now)
	depths := make(map[buffer.Shard]Depth, len(counted))
	for shard, c := range counted {
		d := Depth{Depth: c}
		if c.Due > 0 {
			d.Overdue = max(c.Now.Sub(c.Oldest), 0)
		}
		depths[shard] = d
	}
	return depths, err
}

// now is where a shard's clock would stand for a worker that begins now: it does not run on while nobody
// sees the input, or the outage of a broker would look as if the workers did not keep up. But if we do not
// look since some time, so that a worker has less to do, it runs on from then, or one that is down would
// have nothing overdue for as long as it is.
func (v view) now(shard buffer.Shard, clock buffer.ShardClock) buffer.Instant {
	drift := flusher.ResumeDrift(clock, v.wall, v.unseen)
	now := drift.Now(v.wall)
	if since, is := v.paused[shard]; is {
		return v.runOn(clock, v.ticked(clock, now, min(v.wall, clock.Seen)), since)
	}
	return v.ticked(clock, now, min(v.wall, clock.Seen.Add(v.unseen)))
}

// runOn returns where the clock of a shard would be if it had not stopped at now since some time, or since
// its input was last seen, if that is later: pauses for a full Redis stop no clock.
func (v view) runOn(clock buffer.ShardClock, now, since buffer.Instant) buffer.Instant {
	if clock.Inputs == 0 && clock.Drift == 0 {
		return v.wall
	}
	if clock.Seen <= v.wall {
		since = max(since, clock.Seen)
	}
	return now.Add(max(v.wall.Sub(since), 0))
}

// ticked returns where the clock of a shard would be if its worker had leased at seen, until when the input is
// seen: one that waits for an answer does not, and does not know what falls due meanwhile. It runs on from
// when the clock was stored, by the drift, or since when brokers answer if that is later.
func (v view) ticked(clock buffer.ShardClock, now, seen buffer.Instant) buffer.Instant {
	if clock.Seen == 0 || v.answered.IsZero() {
		return now
	}
	stored := max(clock.Now.Add(-clock.Drift), buffer.InstantOf(v.answered))
	return max(now, clock.Now.Add(seen.Sub(stored)))
}

// onFlusher logs an event of the supervisor and passes it on.
func (p *Pipeline) onFlusher(e flusher.Event) {
	p.log.LogAttrs(context.Background(), e.Level(), e.Kind.String(), e.Attrs()...)
	if p.cfg.Events != nil {
		p.cfg.Events(e)
	}
}

// onFresh sums freshness samples up and passes them on.
func (p *Pipeline) onFresh(worker int, samples []time.Duration) {
	p.freshness.add(worker, samples)
	if p.cfg.Fresh != nil {
		p.cfg.Fresh(worker, samples)
	}
}

// adoptedQuiet is how long no segment has to be found that no queue named, for the next to be another
// cause: lost partitions leave some in each shard, which the sweep meets one after the other.
const adoptedQuiet = time.Minute

// adoptedLevel is the level at which one is logged now: of one cause the first is a warning.
func (p *Pipeline) adoptedLevel(now time.Time) slog.Level {
	p.adoptedMu.Lock()
	defer p.adoptedMu.Unlock()
	last := p.adoptedAt
	if p.adoptedAt = now; !last.IsZero() && now.Sub(last) < adoptedQuiet {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// onAudit logs an event of the audit of the store and passes it on.
func (p *Pipeline) onAudit(e consumer.AuditEvent) {
	if p.cfg.AuditEvents != nil {
		defer p.cfg.AuditEvents(e)
	}
	if e.Unreadable != "" {
		p.log.Warn("among the traces in redis is what cannot be read; it is left alone", "what", e.Unreadable)
		return
	}
	if e.Loss == nil {
		p.log.Log(context.Background(), p.adoptedLevel(time.Now()), "segments were found that no queue named",
			"shard", e.Shard, "segments", e.Adopted)
		return
	}
	level, text := slog.LevelError, "redis has lost data, and spans with it"
	if e.Loss.Possible {
		level, text = slog.LevelWarn, "redis was restarted and may have lost the newest data"
	} else {
		p.setBacks.hear()
	}
	p.log.Log(context.Background(), level, text, "node", e.Loss.Node, "empty", e.Loss.Empty,
		"since", e.Loss.Since, "spans_lost_max", e.Loss.Spans, "uncounted", e.Loss.Uncounted,
		"detail", e.Loss.String())
}

// onIngest logs an event of the input and passes it on.
func (p *Pipeline) onIngest(e ingest.Event) {
	level := slog.LevelInfo
	switch e.Kind {
	case ingest.TroubleBegan, ingest.CommitFailed, ingest.CommitGivenUp, ingest.InputPaused,
		ingest.PartitionsLost, ingest.DeadLettered, ingest.DeadLetterCut,
		ingest.DeadLetterBare, ingest.ShutdownCut:
		level = slog.LevelWarn
	case ingest.MessagesDeleted, ingest.TraceDamaged:
		level = slog.LevelError
	}
	var attrs []slog.Attr
	if len(e.Partitions) > 0 {
		attrs = append(attrs, slog.Any("partitions", e.Partitions))
	}
	if e.Reason != "" {
		attrs = append(attrs, slog.String("reason", e.Reason))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", fmt.Sprint(e.Err)))
	}
	p.log.LogAttrs(context.Background(), level, string(e.Kind), attrs...)
	if p.cfg.IngestEvents != nil {
		p.cfg.IngestEvents(e)
	}
}
