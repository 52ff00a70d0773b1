package pipeline

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"sluice/buffer"
	"sluice/flusher"
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
