package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/process/worker"
	"sluice/internal/wallclock"
)

// A span that leaves the stream has a line that says which, whence, and whether its bytes are gone.
func TestDeadLettersOfWorkersAreLogged(t *testing.T) {
	for lost, want := range map[bool]string{
		false: `level=WARN msg="a span goes to the dead-letter topic" shard=3 `,
		true:  "level=ERROR msg=\"a span goes to the dead-letter topic without its bytes,",
	} {
		var text strings.Builder
		logDeadLetter(slog.New(slog.NewTextHandler(&text, nil)), flusher.DeadLetter{
			Shard: 3, Trace: buffer.TraceKey{Project: 7}, Span: buffer.SpanID{1},
			At: buffer.Position{Partition: 3, Offset: 88}, Bytes: 5_000_000, Lost: lost,
			Cause: errors.New("too large"),
		})
		for _, want := range []string{want, "trace=7:00000000000000000000000000000000",
			"span=0100000000000000", "read_at=3@88", "bytes=5000000", `error="too large"`} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s does not say %s", &text, want)
			}
		}
	}
}

// A segment that cannot be read has an ERROR that says which, and where, and whether Kafka has it.
func TestDamagedSegmentsAreLogged(t *testing.T) {
	var text strings.Builder
	logDamaged(slog.New(slog.NewTextHandler(&text, nil)), flusher.Damaged{
		Shard: 3, Generation: buffer.Generation{TraceKey: buffer.TraceKey{Project: 7}, Segment: buffer.SpanID{1}},
		Step: flusher.StageLoad, Cause: errors.New("a span of a later version"), Again: time.Minute,
	})
	for _, want := range []string{"level=ERROR", "shard=3", "trace=7:00000000000000000000000000000000",
		"segment=0100000000000000", "step=load", "again_in=1m0s", `error="a span of a later version"`,
		"a segment in redis cannot be read"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s does not say %s", &text, want)
		}
	}
	text.Reset()
	logDamaged(slog.New(slog.NewTextHandler(&text, nil)), flusher.Damaged{Step: flusher.StageAck})
	if want := "a segment is in kafka, and cannot be deleted from redis"; !strings.Contains(text.String(), want) {
		t.Errorf("%s does not say %s", &text, want)
	}
}

// signs notes the longest time between two reports.
type signs struct {
	last time.Time
	gap  time.Duration
}

func (s *signs) Report(flusher.Status) {
	s.gap, s.last = max(s.gap, time.Since(s.last)), time.Now()
}

func (s *signs) Fresh([]time.Duration) {}

// A worker that connects is not silent for an attempt and a pause: together they may be as long as a hang.
func TestAWorkerThatConnectsGivesSignsOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultConfig()
		c.Flusher.MaxUnhealthy = 4 * time.Second
		heard := &signs{last: time.Now()}
		w := connector{cfg: c, own: c.own(), job: worker.Job{Reporter: heard},
			troubles: flusher.NewTroubles(wallclock.Clock{}, func(flusher.Trouble) {})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		const attempt = 3500 * time.Millisecond
		_, err := connect(ctx, ctx, &w, "redis", func(context.Context) (*int, error) {
			time.Sleep(attempt)
			return nil, buffer.ErrUnavailable
		})
		if !errors.Is(err, context.DeadlineExceeded) || heard.gap != attempt {
			t.Errorf("%v, silent for %v, want %v", err, heard.gap, attempt)
		}
	})
}
