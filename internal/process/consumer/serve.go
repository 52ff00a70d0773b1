package consumer

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"syscall"

	"sluice/consumer"
	"sluice/flusher"
	"sluice/internal/defects"
	"sluice/internal/pipeline"
	"sluice/internal/process"
	"sluice/internal/process/worker"
)

// role is the consumer's.
var role = process.Register(process.Role[settings, report]{
	Name:   "consumer",
	Rhythm: process.Rhythm{Beat: stateEvery, Farewell: farewellMax},
	Run:    serve,
})

// workerRole is that of its workers if anything is planted: the pipeline's own with that.
var workerRole = worker.Register("planted", runWorker)

// settings are what pipeline.Config.Encode made, or the pipeline made for its workers; and what is
// planted.
type settings struct {
	Pipeline json.RawMessage
	Planted  defects.Planted
}

// serve is the life of the pipeline.
func serve(stop context.Context, s settings, parent *process.Parent[report]) error {
	out := newOutbox(parent.Ring)
	parent.Report(out.collect)
	cfg, err := pipeline.Decode(s.Pipeline)
	if err != nil {
		return err
	}
	cfg.Log = parent.Log
	cfg.Events, cfg.IngestEvents, cfg.Fresh = out.event, out.ingest, out.addFresh
	cfg.AuditEvents = out.audit
	cfg.Wrap = func(ports *consumer.Ports) { s.Planted.Consumer(ports, crash) }
	if s.Planted.Any() {
		cfg.Workers = func(own []byte) (*worker.Role, []byte, error) {
			all, err := json.Marshal(settings{own, s.Planted})
			return workerRole, all, err
		}
	}
	p, err := pipeline.Open(stop, cfg)
	if err != nil {
		return err
	}
	defer p.Close()
	out.opened(func() state {
		return state{
			Workers:  p.Workers(),
			Pids:     p.Pids(),
			Closed:   flusher.SortedShards(p.Closed()),
			Ready:    p.Ready(),
			Counters: p.Counters(),
		}
	})
	return p.Run(context.Background(), stop)
}

// runWorker is the life of a worker.
func runWorker(ctx, stop context.Context, job worker.Job) error {
	var s settings
	if err := json.Unmarshal(job.Settings, &s); err != nil {
		return fmt.Errorf("decode what is planted into the worker: %w", err)
	}
	if job.Spec.Start > 1 {
		s.Planted = s.Planted.Again()
	}
	job.Settings = s.Pipeline
	return pipeline.RunWorker(ctx, stop, job, func(ports *flusher.WorkerPorts) {
		s.Planted.Worker(ports, crash)
	})
}

// crash ends this process as SIGKILL does from outside: nothing is finished, and nobody is told.
func crash() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // the kernel lets a process do that
	select {}
}
