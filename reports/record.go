package reports

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
)

// Event is something that happened in a run: a line of events.ndjson.
type Event struct {
	// T is when, in seconds since the start of the load; before that it is negative.
	T float64 `json:"t"`
	// Kind is what it is about.
	Kind EventKind `json:"kind"`
	// Worker it concerns; NoWorker for none.
	Worker int `json:"worker"`
	// Consumer is the instance of the pipeline that the worker belongs to, from 0. Most runs have
	// one; a second one joins for a rebalance.
	Consumer int `json:"consumer,omitempty"`
	// State of the worker or consumer from now on, for EventWorker and EventConsumer.
	State State `json:"state,omitempty"`
	// Fault is the text of the fault that begins or ends.
	Fault string `json:"fault,omitempty"`
	// Shards concerned, if not all of the worker.
	Shards []int `json:"shards,omitempty"`
	// Text says in words what happened, and why.
	Text string `json:"text,omitempty"`
}

// NoWorker is the Worker of an event that concerns none or all.
const NoWorker = -1

// EventKind is what an event is about.
type EventKind string

// The kinds of event.
const (
	// EventPhase: the run enters its next phase, named by Text.
	EventPhase EventKind = "phase"
	// EventFaultBegin and EventFaultEnd bound a fault and its direct effect: a crash ends when the
	// worker's successor is healthy.
	EventFaultBegin EventKind = "fault begin"
	EventFaultEnd   EventKind = "fault end"
	// EventWorker: a worker changes its state.
	EventWorker EventKind = "worker"
	// EventConsumer: a whole consumer, named by Consumer, changes its state; Worker is NoWorker. It
	// is never in backpressure, which is a matter of its workers.
	EventConsumer EventKind = "consumer"
	// EventRestart: a worker failed and is replaced. Text says why.
	EventRestart EventKind = "restart"
	// EventGateClosed and EventGateOpened: the input of shards is paused and resumed.
	EventGateClosed EventKind = "gate closed"
	EventGateOpened EventKind = "gate opened"
	// EventNote is anything else that explains a run.
	EventNote EventKind = "note"
)

// State is that of a worker or a consumer, as its lane in the chart shows it.
type State string

// The states of a worker or a consumer.
const (
	StateStarting     State = "starting"
	StateHealthy      State = "healthy"
	StateBackpressure State = "backpressure"
	StateHung         State = "hung"
	StateDead         State = "dead"
	StateRestarting   State = "restarting"
	StateStopped      State = "stopped"
)

// States returns all states, in the order of a worker's life.
func States() []State {
	return []State{StateStarting, StateHealthy, StateBackpressure, StateHung, StateDead,
		StateRestarting, StateStopped}
}

// Sample is the state of a run at one time: a line of samples.csv. Counts grow from the start.
type Sample struct {
	// T is when, in seconds since the start of the load.
	T float64 `json:"t"`
	// Sent counts spans, Flushed those that came out or were dropped on purpose, Repeated those that
	// came out again.
	Sent     int64 `json:"sent"`
	Flushed  int64 `json:"flushed"`
	Repeated int64 `json:"repeated"`
	// OutBytes counts the bytes of output records.
	OutBytes int64 `json:"out_bytes"`
	// Paused is how many shards' input is paused.
	Paused int `json:"paused"`
	// WorkersLive is how many worker processes exist.
	WorkersLive int `json:"workers_live"`
	// WorkerBytesMax is the greatest resident memory of a worker; 0 if not known.
	WorkerBytesMax int64 `json:"worker_bytes_max"`
	// Backlog counts messages of the input topic that were sent and whose offsets are not
	// committed yet.
	Backlog int64 `json:"backlog"`
	// RedisBytes is the memory used by the fullest node of Redis, RedisBytesMax what it may use; 0
	// if not known, or if it has no limit.
	RedisBytes    int64 `json:"redis_bytes"`
	RedisBytesMax int64 `json:"redis_bytes_max"`
	// RedisBytesAll is the memory used by all nodes of Redis together; 0 if not known, as it is in the
	// results of versions that did not record it.
	RedisBytesAll int64 `json:"redis_bytes_all"`
	// FreshP50, FreshP90 and FreshP99 are the freshness in seconds of what was flushed in the last
	// second, by worker processes of any consumer; all 0 if nothing was.
	FreshP50 float64 `json:"fresh_p50"`
	FreshP90 float64 `json:"fresh_p90"`
	FreshP99 float64 `json:"fresh_p99"`
	// The processor time used so far in the run, in seconds: by all nodes of Redis; by Kafka's, where they
	// are on this machine or virtual; by the workers, by the consumers without their workers, and by the
	// harness itself (with the fakes, which live in it). 0 if not known.
	CPURedis    float64 `json:"cpu_redis"`
	CPUKafka    float64 `json:"cpu_kafka"`
	CPUWorkers  float64 `json:"cpu_workers"`
	CPUConsumer float64 `json:"cpu_consumer"`
	CPUHarness  float64 `json:"cpu_harness"`
	// RedisNodes is how many nodes CPURedis is of, whose threads share its work about evenly; 0 if not
	// known, as it is in the results of versions that did not record it. RedisElsewhere is how many of
	// them are on other machines.
	RedisNodes     int `json:"redis_nodes"`
	RedisElsewhere int `json:"redis_elsewhere"`
	// NetworkBusy is for how many seconds so far the network of the consumers and workers was in use, in
	// the busier direction; 0 if not known.
	NetworkBusy float64 `json:"network_busy"`
}

// Buffered returns the spans that were sent and neither came out nor were dropped.
func (s Sample) Buffered() int64 { return s.Sent - s.Flushed }

// CPURedisHere is what of CPURedis the cores of this machine computed.
func (s Sample) CPURedisHere() float64 {
	return s.CPURedis * (1 - float64(s.RedisElsewhere)/float64(max(1, s.RedisNodes)))
}

// WriteEvents writes events as JSON, one a line.
func WriteEvents(w io.Writer, events []Event) error {
	buffered := bufio.NewWriter(w)
	encoder := json.NewEncoder(buffered)
	for i := range events {
		if err := encoder.Encode(&events[i]); err != nil {
			return fmt.Errorf("write event %d: %w", i, err)
		}
	}
	return buffered.Flush()
}

// ReadEvents reads what WriteEvents wrote. The error names the line.
func ReadEvents(r io.Reader) ([]Event, error) {
	var events []Event
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	for {
		var e Event
		switch err := decoder.Decode(&e); {
		case errors.Is(err, io.EOF):
			return events, nil
		case err != nil:
			return nil, fmt.Errorf("event in line %d: %w", len(events)+1, err)
		}
		events = append(events, e)
	}
}

// WriteCSV writes a table of structs, the columns named by their json tags. Fields are numbers,
// strings and booleans, and embedded structs of such.
func WriteCSV[T any](w io.Writer, rows []T) error {
	out := csv.NewWriter(w)
	fields := slices.DeleteFunc(reflect.VisibleFields(reflect.TypeFor[T]()),
		func(f reflect.StructField) bool { return f.Anonymous })
	line := make([]string, len(fields))
	for i, f := range fields {
		line[i] = f.Tag.Get("json")
	}
	if err := out.Write(line); err != nil {
		return err
	}
	for i := range rows {
		row := reflect.ValueOf(&rows[i]).Elem()
		for j, f := range fields {
			if field := row.FieldByIndex(f.Index); field.CanFloat() {
				line[j] = strconv.FormatFloat(field.Float(), 'f', -1, 64)
			} else {
				line[j] = fmt.Sprint(field.Interface())
			}
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// ReadCSV reads what WriteCSV wrote, by the names of its columns, in any order. A column that is not
// there leaves its field at zero, and one that no field has is skipped: another version of the program
// may have written it. The error names line and column.
func ReadCSV[T any](r io.Reader) ([]T, error) {
	in := csv.NewReader(r)
	header, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("read the names of the columns: %w", err)
	}
	byName := map[string][]int{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if !f.Anonymous {
			byName[f.Tag.Get("json")] = f.Index
		}
	}
	var rows []T
	for {
		line, err := in.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		var row T
		for i, name := range header {
			index, ok := byName[name]
			if !ok {
				continue
			}
			field := reflect.ValueOf(&row).Elem().FieldByIndex(index)
			if field.Kind() == reflect.String {
				field.SetString(line[i])
			} else if err := json.Unmarshal([]byte(line[i]), field.Addr().Interface()); err != nil {
				at, column := in.FieldPos(i)
				return nil, fmt.Errorf("line %d, column %d: %q is not a value of %s", at, column, line[i], name)
			}
		}
		rows = append(rows, row)
	}
}
