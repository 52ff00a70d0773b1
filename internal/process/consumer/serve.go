package consumer

import (
	"context"
	"encoding/json"

	"sluice/flusher"
	"sluice/internal/pipeline"
	"sluice/internal/process"
)

// role is the consumer's. Its settings are what pipeline.Config.Encode makes.
var role = process.Register(process.Role[json.RawMessage, report]{
	Name:   "consumer",
	Rhythm: process.Rhythm{Beat: stateEvery, Farewell: farewellMax},
	Run:    serve,
})

// serve is the life of the pipeline.
func serve(
	stop context.Context, settings json.RawMessage, parent *process.Parent[report],
) error {
	out := newOutbox(parent.Ring)
	parent.Report(out.collect)
	cfg, err := pipeline.Decode(settings)
	if err != nil {
		return err
	}
	cfg.Log = parent.Log
	cfg.Events, cfg.IngestEvents, cfg.Fresh = out.event, out.ingest, out.addFresh
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
