package pipeline_test

import (
	"testing"
	"time"

	"sluice/flusher"
	"sluice/internal/pipeline/pipelinetest"
)

// The first input that the workers see of their shards is an hour old. Its traces of 20 spans come
// out in one record each: what the wall clock takes for due is not flushed.
func TestBacklogIsNotFlushedInFragments(t *testing.T) {
	t.Parallel()
	for name, world := range map[string]func(testing.TB) *pipelinetest.World{
		"fakes": pipelinetest.Fakes, "real": pipelinetest.Real,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			p := start(t, w.Config())
			w.Await(t, func() bool { return flushedShards(p) == w.Partitions })
			w.Behind = time.Hour
			if err := w.Send(t.Context(), 4000, 2000); err != nil {
				t.Fatal(err)
			}
			w.AwaitSettled(t)
			p.end(t)
			w.CheckNothingLost(t, pipelinetest.NoRepeats)
			if b := w.Balance(); b.Records*20 != b.Sent {
				t.Errorf("%d spans in traces of 20 came out in %d records", b.Sent, b.Records)
			}
		})
	}
}

// flushedShards counts the shards that have a healthy worker.
func flushedShards(p *running) (n int) {
	for _, w := range p.Workers() {
		if w.State == flusher.StateHealthy {
			n += len(w.Shards)
		}
	}
	return n
}
