package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/buffer/redisstore"
	"sluice/consumer"
	"sluice/flusher"
	"sluice/internal/kafkaio"
	"sluice/internal/process/worker"
	"sluice/internal/wallclock"
)

// workerRole is a pipeline's worker.
var workerRole = worker.Register("worker", func(ctx, stop context.Context, job worker.Job) error {
	return RunWorker(ctx, stop, job, nil)
})

// RunWorker is the life of a worker, as a process or as a goroutine. Its settings are the pipeline's
// config, as Encode writes it. Wrap changes the ports that it gets; nil leaves them as they are.
func RunWorker(
	ctx, stop context.Context, job worker.Job, wrap func(*flusher.WorkerPorts),
) error {
	c, err := Decode(job.Settings)
	if err != nil {
		return err
	}
	say := func(t flusher.Trouble) { logTrouble(job.Log, t) }
	w := connector{cfg: c, own: c.own(), job: job, troubles: flusher.NewTroubles(wallclock.Clock{}, say)}
	store, err := connect(ctx, stop, &w, "redis", w.openStore)
	if store == nil {
		return err
	}
	defer store.Close()
	producer, err := connect(ctx, stop, &w, "kafka", w.openProducer)
	if producer == nil {
		return err
	}
	defer producer.Close()
	ports := flusher.WorkerPorts{
		Clock:        w.clock,
		Tasks:        wallclock.Tasks{},
		Store:        store,
		Producer:     producer,
		Encoder:      codec.New(c.Options.MaxSegmentBytes),
		Reporter:     job.Reporter,
		RefusesAbove: producer.RefusesAbove,
		Trouble:      say,
		DeadLetter:   func(l flusher.DeadLetter) { logDeadLetter(job.Log, l) },
		Damaged:      func(d flusher.Damaged) { logDamaged(job.Log, d) },
	}
	if wrap != nil {
		wrap(&ports)
	}
	return flusher.RunWorker(ctx, stop, w.own.Worker, ports, job.Spec)
}

// connector connects a worker to its servers.
type connector struct {
	cfg      Config
	own      consumer.Settings
	job      worker.Job
	clock    wallclock.Clock
	troubles *flusher.Troubles
	status   flusher.Status
}

// connect opens a connection and tries again until the server answers. That a server is away is no
// fault of the worker, so after the first attempt it gives signs of life that say what it waits for:
// it would not help to start it again, but its shards have nobody who flushes them. A nil result comes
// with the error, or with none if the worker was told to stop.
func connect[T any](
	ctx, stop context.Context, w *connector, server string, open func(context.Context) (*T, error),
) (*T, error) {
	of := flusher.Operation{Name: server, Partition: flusher.NoPartition}
	for attempt := 0; ; attempt++ {
		opened, err := open(ctx)
		if err == nil {
			if attempt > 0 {
				w.troubles.Works(of)
				w.beat() // it does not wait for that any more
			}
			return opened, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if stop.Err() != nil {
			return nil, nil // nothing is in flight yet
		}
		// What Redis answers tells whether waiting helps. Kafka was there when the program started,
		// with the same settings, and so were the files of certificates, which may be being replaced.
		if server == "redis" && !buffer.Retryable(err) && !isFiles(err) {
			return nil, err
		}
		w.troubles.Fails(of, "connection to "+server, err)
		w.beat()
		pause := flusher.Backoff(w.own.Worker.RetryMin, w.own.Worker.RetryMax, attempt)
		if w.clock.Sleep(stop, pause) != nil {
			return nil, ctx.Err()
		}
		w.beat() // an attempt may take half of the time after which it counts as hung
	}
}

// beat is a sign of life before the core gives its own.
func (w *connector) beat() {
	w.status.Beats++
	w.status.Stage = flusher.StageStarting
	w.status.Troubles = w.troubles.States()
	w.job.Reporter.Report(w.status)
}

func (w *connector) openStore(ctx context.Context) (*redisstore.Store, error) {
	return w.cfg.Redis.Open(ctx, w.job.Log, w.cfg.Options.MaxSegmentBytes, w.own.AnswerMax())
}

func (w *connector) openProducer(ctx context.Context) (*kafkaio.Producer, error) {
	kafka, err := w.cfg.Kafka.Connection(w.job.Log)
	if err != nil {
		return nil, err
	}
	kafka.CheckTimeout = w.own.AnswerMax()
	return kafkaio.NewProducer(ctx, kafka, w.cfg.workerProducer())
}

// logDeadLetter says what became of a span that no broker takes.
func logDeadLetter(log *slog.Logger, l flusher.DeadLetter) {
	level, message := slog.LevelWarn, "a span goes to the dead-letter topic"
	if l.Lost {
		level, message = slog.LevelError,
			"a span goes to the dead-letter topic without its bytes, which are more than that topic takes"
	}
	log.Log(context.Background(), level, message, "shard", l.Shard, "trace", fmt.Sprintf("%d:%v", l.Trace.Project, l.Trace.Trace),
		"span", l.Span.String(), "read_at", fmt.Sprintf("%d@%d", l.At.Partition, l.At.Offset),
		"bytes", l.Bytes, "error", l.Cause)
}

// logDamaged says that a segment cannot be flushed, or not be deleted, and where it is.
func logDamaged(log *slog.Logger, d flusher.Damaged) {
	message := "a segment in redis cannot be read: its trace is damaged, or of a later version; it stays there, and is tried again"
	if d.Step == flusher.StageAck {
		message = "a segment is in kafka, and cannot be deleted from redis: its trace is damaged, or of a later version; " +
			"it stays there, and comes out again whenever its shard is fenced anew"
	}
	log.Error(message,
		"shard", d.Shard, "trace", fmt.Sprintf("%d:%v", d.Project, d.Trace), "segment", d.Segment.String(),
		"step", d.Step.String(), "again_in", d.Again, "error", d.Cause)
}

// logTrouble says that a server does not do its part, and that it does again.
func logTrouble(log *slog.Logger, t flusher.Trouble) {
	if t.Over {
		log.Info(t.Step+" works again", "after", t.Lasted.Round(time.Millisecond), "attempts", t.Attempts)
		return
	}
	log.Warn(t.Step+" fails, trying until it works", "error", t.Err)
}
