package spawn

import (
	"encoding/json"
	"log/slog"
	"time"

	"sluice/flusher"
)

// marker is the hidden first argument of a worker process. The arguments after it, the registered
// name and the worker's number, are there for whoever reads the process list.
const marker = "__worker"

// Exit codes of a worker process. A panic of the Go runtime is 2.
const (
	codeFinished = 0
	codeFailed   = 1
	codeMisused  = 64
	codeOrphan   = 65
)

// order is a line from parent to worker. The first one begins, a later one stops.
type order struct {
	Begin *begin `json:"begin,omitempty"`
	Stop  bool   `json:"stop,omitempty"`
}

type begin struct {
	Settings json.RawMessage    `json:"settings"`
	Spec     flusher.WorkerSpec `json:"spec"`
	LogLevel slog.Level         `json:"log_level"`
}

// report is a line from worker to parent.
type report struct {
	Status *flusher.Status `json:"status,omitempty"`
	Fresh  []time.Duration `json:"fresh,omitempty"`
	Usage  Usage           `json:"usage"`
	// LastWord is the error that the worker ends with.
	LastWord string `json:"last_word,omitempty"`
}

// Usage is what a worker process has used of the machine so far; zero for goroutines, whose share
// nobody can tell.
type Usage struct {
	// CPU is user and system time.
	CPU time.Duration `json:"cpu"`
	// RSS is the resident memory at the time of the report, in bytes; 0 where there is no /proc.
	RSS int64 `json:"rss"`
}
