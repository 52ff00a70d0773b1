package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"sluice/scenarios"
)

// Words of each kind, right ones and wrong ones; every option is also given those of anyKind.
const (
	anyKind   = "off none unlimited 80% 512KB 0 7 -1"
	counts    = "0x10 1_000 007 1e3 1.5 40000"
	durations = "0s 90s 1m30s 250ms 1.5s -1s +5s -0 1h30 1d 10us"
	sizes     = "512kb 10MiB 1.5KiB 1.1MiB 0.3B 10485760 1e6 1GiB 10MX 7b B"
	shares    = "0.8 .8 1. 1e-1 100% 120% 0% 0.0 1.5 inf nan 80_%"
	processOf = "per-shard 1 1.5 perShard"
	modes     = "process goroutine thread"
)

// sameOptions are the keys of a scenario that are flags of cmd/run, too, with what both make of one.
var sameOptions = map[string]struct {
	words    string
	run      func(Run) any
	scenario func(scenarios.Scenario) any
}{
	"topology.flusher_processes": {processOf,
		func(r Run) any { return r.Pipeline.Flusher.Processes },
		func(s scenarios.Scenario) any { return int(s.Topology.FlusherProcesses) }},
	"topology.flusher_mode": {modes,
		func(r Run) any { return string(r.Pipeline.Mode) },
		func(s scenarios.Scenario) any { return string(s.Topology.FlusherMode) }},
	"pipeline.timeout": {durations,
		func(r Run) any { return r.Pipeline.Options.Timeout },
		func(s scenarios.Scenario) any { return s.Pipeline.Timeout }},
	"pipeline.root_timeout": {durations,
		func(r Run) any { return r.Pipeline.Options.RootTimeout },
		func(s scenarios.Scenario) any { return s.Pipeline.RootTimeout }},
	"pipeline.max_segment_age": {durations,
		func(r Run) any { return r.Pipeline.Options.MaxSegmentAge },
		func(s scenarios.Scenario) any { return s.Pipeline.MaxSegmentAge }},
	"pipeline.max_segment_bytes": {sizes,
		func(r Run) any { return r.Pipeline.Options.MaxSegmentBytes },
		func(s scenarios.Scenario) any { return s.Pipeline.MaxSegmentBytes }},
	"pipeline.max_flush_segments": {counts,
		func(r Run) any { return r.Pipeline.Worker.MaxFlushSegments },
		func(s scenarios.Scenario) any { return s.Pipeline.MaxFlushSegments }},
	"pipeline.max_unhealthy": {durations,
		func(r Run) any { return r.Pipeline.Flusher.MaxUnhealthy },
		func(s scenarios.Scenario) any { return s.Pipeline.MaxUnhealthy }},
	"pipeline.backpressure_after": {durations,
		func(r Run) any { return r.Pipeline.Flusher.BackpressureAfter },
		func(s scenarios.Scenario) any { return s.Pipeline.BackpressureAfter }},
	"pipeline.restart_budget": {counts,
		func(r Run) any { return r.Pipeline.Flusher.RestartBudget },
		func(s scenarios.Scenario) any { return s.Pipeline.RestartBudget }},
	"pipeline.max_memory": {shares,
		func(r Run) any { return r.Pipeline.Flusher.MaxMemory },
		func(s scenarios.Scenario) any { return s.Pipeline.MaxMemory }},
	"pipeline.max_batch": {counts,
		func(r Run) any { return r.Pipeline.Ingest.MaxBatch },
		func(s scenarios.Scenario) any { return s.Pipeline.MaxBatch }},
	"pipeline.max_batch_wait": {durations,
		func(r Run) any { return r.Pipeline.Ingest.MaxBatchWait },
		func(s scenarios.Scenario) any { return s.Pipeline.MaxBatchWait }},
}

// TestTheSameWordsEverywhere gives the options words, in a scenario's file, by --set, in a
// configuration file, by a variable and by a flag: all five must make the same of it.
func TestTheSameWordsEverywhere(t *testing.T) {
	bare(t)
	const start = "name: a\nexpectations: {drain_max: 1h}\n" // longer than the time-outs
	accepted := map[string][]string{}
	for key, option := range sameOptions {
		section, name, _ := strings.Cut(key, ".")
		flag := strings.ReplaceAll(name, "_", "-")
		variable := envPrefix + strings.ToUpper(name)
		for word := range strings.FieldsSeq(anyKind + " " + option.words) {
			word = strings.ReplaceAll(word, "_%", " %")
			text := func(r Run, err error) string {
				if err != nil {
					return "refused"
				}
				return fmt.Sprint(option.run(r))
			}
			ofScenario := func(s scenarios.Scenario, err error) string {
				if err != nil {
					return "refused"
				}
				return fmt.Sprint(option.scenario(s))
			}
			s, err := scenarios.Read("x", []byte(start+section+":\n  "+name+": "+word+"\n"))
			want := ofScenario(s, err)
			got := map[string]string{}
			s, _, err = scenarios.ReadWith("x", []byte(start), key+"="+word)
			got["--set"] = ofScenario(s, err)
			got["a flag"] = text(Parse([]string{"--" + flag + "=" + word}, "", io.Discard))
			file := write(t, "c.yaml", name+": "+word+"\n")
			got["a file"] = text(Parse([]string{"--config", file}, "", io.Discard))
			t.Run("", func(t *testing.T) {
				t.Setenv(variable, word)
				got["a variable"] = text(Parse(nil, "", io.Discard))
			})
			for way, value := range got {
				if value != want {
					t.Errorf("%s: %s is %s in a scenario, and %s by %s", key, word, want, value, way)
				}
			}
			if want != "refused" {
				accepted[key] = append(accepted[key], word+" "+want)
			}
		}
	}
	for key, some := range map[string][]string{
		"topology.flusher_processes": {"per-shard -1", "7 7"},
		"topology.flusher_mode":      {"goroutine goroutine"},
		"pipeline.timeout":           {"90s 1m30s", "250ms 250ms"},
		"pipeline.max_segment_age":   {"off 0s"},
		"pipeline.max_segment_bytes": {"off 0", "512KB 512000", "10MiB 10485760"},
		"pipeline.max_memory":        {"off 1", "80% 0.8"},
	} {
		for _, want := range some {
			if !strings.Contains(" "+strings.Join(accepted[key], ", ")+",", " "+want+",") {
				t.Errorf("%s: %s is not accepted: %q", key, want, accepted[key])
			}
		}
	}
}

// TestNoOptionIsForgotten: what a scenario has of the pipeline's options is in the table above.
func TestNoOptionIsForgotten(t *testing.T) {
	for field := range reflect.TypeFor[scenarios.Pipeline]().Fields() {
		if key := "pipeline." + field.Tag.Get("yaml"); sameOptions[key].run == nil {
			t.Errorf("%s has no row", key)
		}
	}
}
