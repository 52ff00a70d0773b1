package httpapi

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/pipeline"
	"sluice/internal/process"
)

// Source is what the collector reads from: a pipeline.
type Source interface {
	Workers() []flusher.WorkerState
	Counters() ingest.Counters
	Freshness() []pipeline.Freshness
	Usage() map[int]process.Usage
	// Audited is what the audit of the store has seen.
	Audited() consumer.AuditCounters
	// Retries counts the attempts that failed, by step.
	Retries() map[string]uint64
	// Committed returns the offsets that the group has committed of assigned partitions, as far as there
	// are any.
	Committed() map[int32]int64
	// Depths counts what waits in Redis of each assigned shard, so it takes a while. As that of the two
	// below, its error means that what it returns is not all.
	Depths(ctx context.Context) (map[buffer.Shard]pipeline.Depth, error)
	// Unread asks Kafka what it holds of each assigned partition that is not read.
	Unread(ctx context.Context) (map[int32]pipeline.Unread, error)
	// Nodes asks the Redis nodes how full they are, so it takes a while.
	Nodes(ctx context.Context) ([]pipeline.NodeOutlook, error)
}

// askMax bounds how long a scrape waits for a server.
const askMax = 2 * time.Second

// Collector turns what a pipeline knows into metrics, at the moment of each scrape.
type Collector struct{ source Source }

var _ prometheus.Collector = (*Collector)(nil)

// NewCollector returns the collector of a pipeline.
func NewCollector(source Source) *Collector { return &Collector{source: source} }

// metric is one kind of metric.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func counter(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("sluice_"+name, help, labels, nil), prometheus.CounterValue}
}

func gauge(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("sluice_"+name, help, labels, nil), prometheus.GaugeValue}
}

// emit sends one sample.
func (m metric) emit(out chan<- prometheus.Metric, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
}

var (
	workerState = gauge("worker_state",
		"1 for the worker's current state.", "worker", "state")
	workerShard = gauge("worker_shard",
		"1 for each shard that the worker flushes.", "worker", "shard")
	workerStarts = counter("worker_starts_total",
		"Starts of the worker, including the first.", "worker")
	workerRestarts = counter("worker_restarts_total",
		"Restarts that counted against the worker's budget.", "worker")
	workerStrays = gauge("worker_strays",
		"Earlier workers with this number that could not be killed and have not ended.", "worker")
	workerBeat = gauge("worker_last_beat_timestamp_seconds",
		"When the worker last reported, in Unix time; absent while none is wanted.", "worker")
	workerPressure = gauge("worker_backpressure_seconds",
		"How long the worker has not kept up; 0 if it does.", "worker")
	workerSegments = counter("worker_segments_total",
		"Segments that were flushed and acknowledged.", "worker")
	workerSpans = counter("worker_spans_total",
		"Spans in them.", "worker")
	workerBytes = counter("worker_bytes_total",
		"Payload bytes in them.", "worker")
	workerRecords = counter("worker_records_total",
		"Output records that Kafka acknowledged.", "worker")
	workerLetters = counter("worker_dead_letters_total",
		"Spans sent to the dead-letter topic because Kafka refused them.", "worker")
	workerRetries = counter("worker_retries_total",
		"Attempts of the worker that failed at a server and were made again, by step.", "worker", "step")
	workerTrouble = gauge("worker_trouble_seconds",
		"For how long a step of the worker fails (produce: nothing of its output is taken); absent if all works.",
		"worker", "step")
	workerCPU = counter("worker_cpu_seconds_total",
		"Processor time of the worker process; starts at 0 with each process.", "worker")
	workerRSS = gauge("worker_resident_memory_bytes",
		"Resident memory of the worker process.", "worker")

	shardAssigned = gauge("shard_assigned",
		"1 while the shard's partition is assigned to this program.", "shard")
	shardPaused = gauge("shard_input_paused",
		"1 while the shard's input is paused; /readyz says why.", "shard")
	shardMessages = counter("shard_messages_total",
		"Messages read.", "shard")
	shardSpans = counter("shard_spans_total",
		"Spans that were stored, or were stored already.", "shard")
	shardBytes = counter("shard_bytes_total",
		"Payload bytes of these spans.", "shard")
	shardDuplicates = counter("shard_duplicates_total",
		"Spans that were stored already.", "shard")
	shardDropped = counter("shard_dropped_total",
		"Spans that the kill switch dropped.", "shard")
	shardLetters = counter("shard_dead_letters_total",
		"Messages sent to the dead-letter topic because they are not spans, or Redis cannot read their trace.", "shard")
	shardSkewed = counter("shard_skewed_total",
		"Messages whose timestamp disagrees with those around them, or is ahead of the wall clock.", "shard")
	shardBatches = counter("shard_batches_total",
		"Batches that were stored.", "shard")
	shardRetries = counter("shard_retries_total",
		"Steps that failed and were retried.", "shard")
	shardLost = counter("shard_lost_messages_total",
		"Messages that Kafka deleted before they were read, at most: the log names each gap.", "shard")
	shardCommitted = gauge("shard_committed_offset",
		"Offset after the last message that the group has committed; absent if there is none.", "shard")
	shardBehind = gauge("shard_input_lag_seconds",
		"How far the last batch was behind the wall clock when it was read; absent before it, and of partitions of others.",
		"shard")

	shardUnread = gauge("shard_unread_messages",
		"Messages that Kafka holds and that are not committed.", "shard")
	shardOldest = gauge("shard_oldest_unread_seconds",
		"Age of the oldest of them, by the clock of the last batch or since there was none, whichever is less; "+
			"0 if there is none, absent before that batch.",
		"shard")
	shardExpires = gauge("shard_unread_expires_in_seconds",
		"When Kafka may delete the oldest of them, at the earliest; absent if there is none, or no known limit.",
		"shard")

	shardQueued = gauge("shard_queued_segments",
		"Segments that wait in Redis until they are due and a worker takes them.", "shard")
	shardDue = gauge("shard_due_segments",
		"Segments of them that are due, in the shard's clock.", "shard")
	shardLeased = gauge("shard_leased_segments",
		"Segments that a worker has taken and not finished.", "shard")
	shardOverdue = gauge("shard_overdue_seconds",
		"How long the oldest due segment has been due, in the shard's clock; 0 if none is.", "shard")

	ruleDropped = counter("kill_switch_dropped_total",
		"Spans that a rule of the kill switch dropped.", "rule")
	commits      = counter("commits_total", "Offset commits attempted.")
	commitErrors = counter("commit_errors_total", "Offset commits that failed.")

	retries = counter("retries_total",
		"Attempts that failed and were made again, by step; those of workers are their own.", "step")

	dataLosses = counter("redis_data_losses_total",
		"Times that a Redis node was found to have lost data; the log says what is lost with it.")
	redisRestarts = counter("redis_restarts_total",
		"Times that a Redis node was restarted, or another took its place, and knew all that was counted before.")
	adopted = counter("adopted_segments_total",
		"Segments that no queue named, and that were queued again.")
	sweptTraces = counter("swept_traces_total",
		"Traces that were looked at for such segments.")
	sweepRounds = counter("sweep_rounds_total", "Rounds in which all of them were.")

	nodeUsed = gauge("redis_memory_used_bytes", "Memory that a Redis node uses.", "node")
	nodeMax  = gauge("redis_memory_max_bytes",
		"Memory that a Redis node may use; 0 if it has no limit.", "node")
	nodeFull = gauge("redis_memory_full_in_seconds",
		"When a Redis node reaches its limit at the present slope; absent if it has none or does not fill.",
		"node")

	freshness = prometheus.NewDesc("sluice_freshness_seconds",
		"Time from a segment's deadline, in its shard's clock, to its acknowledged record.",
		[]string{"worker"}, nil)
)

// Describe sends nothing: which metrics exist depends on the assignment.
func (c *Collector) Describe(chan<- *prometheus.Desc) {}

// Collect asks the pipeline.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	now := time.Now()
	for _, w := range c.source.Workers() {
		collectWorker(out, w, now)
	}
	for worker, u := range c.source.Usage() {
		label := strconv.Itoa(worker)
		workerCPU.emit(out, u.CPU.Seconds(), label)
		workerRSS.emit(out, float64(u.RSS), label)
	}
	counters := c.source.Counters()
	for _, p := range counters.Partitions {
		collectShard(out, p)
	}
	for number, offset := range c.source.Committed() {
		shardCommitted.emit(out, float64(offset), shardLabel(number))
	}
	for rule, spans := range counters.Rules {
		ruleDropped.emit(out, float64(spans), rule)
	}
	commits.emit(out, float64(counters.Commits))
	commitErrors.emit(out, float64(counters.CommitErrors))
	audited := c.source.Audited()
	dataLosses.emit(out, float64(audited.Losses))
	redisRestarts.emit(out, float64(audited.Restarts))
	adopted.emit(out, float64(audited.Adopted))
	sweptTraces.emit(out, float64(audited.Traces))
	sweepRounds.emit(out, float64(audited.Rounds))
	for step, failed := range c.source.Retries() {
		retries.emit(out, float64(failed), step)
	}
	for _, f := range c.source.Freshness() {
		collectFreshness(out, f)
	}
	c.collectDepths(out)
	c.collectUnread(out)
	c.collectMemory(out)
}

func collectWorker(out chan<- prometheus.Metric, w flusher.WorkerState, now time.Time) {
	label := strconv.Itoa(w.Worker)
	for state := range flusher.StateStopping + 1 { // each has a line from the start
		workerState.emit(out, truth(state == w.State), label, state.String())
	}
	for _, shard := range w.Shards {
		workerShard.emit(out, 1, label, shardLabel(int32(shard)))
	}
	workerStarts.emit(out, float64(w.Starts), label)
	workerRestarts.emit(out, float64(w.Restarts), label)
	workerStrays.emit(out, float64(w.Strays), label)
	if !w.Beat.IsZero() && w.State != flusher.StateStopped { // one that is not wanted gives none
		workerBeat.emit(out, float64(w.Beat.UnixMilli())/1000, label)
	}
	pressure := 0.0
	if since := w.Status.BackpressureSince; !since.IsZero() {
		pressure = max(now.Sub(since).Seconds(), 0)
	}
	workerPressure.emit(out, pressure, label)
	workerSegments.emit(out, float64(w.Totals.Segments), label)
	workerSpans.emit(out, float64(w.Totals.Spans), label)
	workerBytes.emit(out, float64(w.Totals.Bytes), label)
	workerRecords.emit(out, float64(w.Totals.Records), label)
	workerLetters.emit(out, float64(w.Totals.DeadLetters), label)
	for stage, failed := range w.Totals.Retries {
		if failed > 0 {
			workerRetries.emit(out, float64(failed), label, flusher.Stage(stage).String())
		}
	}
	said := make(map[string]bool)
	for _, t := range w.Status.Troubles { // the longest first
		if !said[t.Step] {
			said[t.Step] = true
			workerTrouble.emit(out, max(now.Sub(t.Since).Seconds(), 0), label, t.Step)
		}
	}
}

func collectShard(out chan<- prometheus.Metric, p ingest.PartitionCounters) {
	label := shardLabel(p.Partition)
	shardAssigned.emit(out, truth(p.Assigned), label)
	shardPaused.emit(out, truth(p.Assigned && p.Paused != ""), label)
	shardMessages.emit(out, float64(p.Messages), label)
	shardSpans.emit(out, float64(p.Spans), label)
	shardBytes.emit(out, float64(p.Bytes), label)
	shardDuplicates.emit(out, float64(p.Duplicates), label)
	shardDropped.emit(out, float64(p.Dropped), label)
	shardLetters.emit(out, float64(p.DeadLetters), label)
	shardSkewed.emit(out, float64(p.Skewed), label)
	shardBatches.emit(out, float64(p.Batches), label)
	shardRetries.emit(out, float64(p.Retries), label)
	shardLost.emit(out, float64(p.Deleted), label)
	if p.Assigned && p.Wall != 0 { // else another member has it, and says how far it is
		shardBehind.emit(out, p.Wall.Sub(p.Clock).Seconds(), label)
	}
}

func collectFreshness(out chan<- prometheus.Metric, f pipeline.Freshness) {
	buckets := make(map[float64]uint64, len(f.Buckets))
	for i, count := range f.Buckets {
		buckets[pipeline.FreshnessBounds[i].Seconds()] = count
	}
	out <- prometheus.MustNewConstHistogram(freshness, f.Count, f.Sum.Seconds(), buckets,
		strconv.Itoa(f.Worker))
}

// collectDepths leaves the shards out for which Redis does not answer.
func (c *Collector) collectDepths(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), askMax)
	defer cancel()
	depths, _ := c.source.Depths(ctx) // /readyz has the error
	for shard, d := range depths {
		label := shardLabel(int32(shard))
		shardQueued.emit(out, float64(d.Queued), label)
		shardDue.emit(out, float64(d.Due), label)
		shardLeased.emit(out, float64(d.Leased), label)
		shardOverdue.emit(out, d.Overdue.Seconds(), label)
	}
}

// collectUnread leaves the shards out for which Kafka does not answer.
func (c *Collector) collectUnread(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), askMax)
	defer cancel()
	unread, _ := c.source.Unread(ctx) // /readyz has the error
	for number, u := range unread {
		label := shardLabel(number)
		shardUnread.emit(out, float64(u.Messages()), label)
		if u.Aged {
			shardOldest.emit(out, u.Age.Seconds(), label)
		}
		if u.Expires {
			shardExpires.emit(out, u.ExpiresIn.Seconds(), label)
		}
	}
}

// collectMemory leaves the nodes out that do not answer.
func (c *Collector) collectMemory(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), askMax)
	defer cancel()
	nodes, _ := c.source.Nodes(ctx) // /readyz has the error
	for _, node := range nodes {
		nodeUsed.emit(out, float64(node.Used), node.Node)
		nodeMax.emit(out, float64(node.Max), node.Node)
		if node.Fills {
			nodeFull.emit(out, node.FullIn.Seconds(), node.Node)
		}
	}
}

func shardLabel(shard int32) string { return strconv.Itoa(int(shard)) }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
