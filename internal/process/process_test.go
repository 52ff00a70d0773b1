package process

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"sluice/internal/syncbuf"
)

// run starts a child and returns what it reported and how it ended.
func run(t *testing.T, s settings, log *slog.Logger) (reports []string, exit Exit) {
	t.Helper()
	p, err := echo.Start(Options{Log: log}, s, func(r string) { reports = append(reports, r) })
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	return reports, p.Exit()
}

func TestWhatAChildReportsLastIsHeard(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	want := []string{"one", "two\nlines", ""}
	if got, exit := run(t, settings{Say: want}, log); !slices.Equal(got, want) || exit != (Exit{}) {
		t.Errorf("reports are %q, want %q; exit %+v", got, want, exit)
	}
	if _, exit := run(t, settings{Word: "no way on"}, log); exit.Code != CodeFailed ||
		exit.Err == nil || exit.Err.Error() != "no way on" {
		t.Errorf("exit %+v of a child that ends before it reports, want its last word", exit)
	}
}

// TestForwarder: records keep their level and numbers, other lines are named as such, and a crash
// is one record with its first line as the last word.
func TestForwarder(t *testing.T) {
	out := &syncbuf.Buffer{}
	log := slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	f := &forwarder{what: "worker", log: log}
	record := `{"time":"2026-01-02T03:04:05Z","level":"WARN","msg":"m","n":1234567890123456789}` + "\n"
	f.follow(strings.NewReader(record + `{"level":"DEBUG","msg":"too low"}

a line
panic: planted

goroutine 1 [running]:
`))
	text := out.String()
	if !strings.HasPrefix(text, record) {
		t.Errorf("the record is not passed on as it was:\n%s", text)
	}
	for _, want := range []string{`"msg":"worker wrote to stderr","line":"a line"`,
		`"msg":"worker crashed","stderr":"panic: planted\n\ngoroutine 1 [running]:\n`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in:\n%s", want, text)
		}
	}
	if n := strings.Count(text, "\n"); n != 3 {
		t.Errorf("%d records, want 3:\n%s", n, text)
	}
	if got := f.lastWord().Error(); got != "it crashed: panic: planted" {
		t.Errorf("the last word is %q", got)
	}
	if level := levelOf(log); level != slog.LevelInfo {
		t.Errorf("the log's level is %v", level)
	}
}
