package config

import (
	"time"

	"github.com/alecthomas/kong"

	"sluice/buffer"
)

// flags is the command line, the environment and the file in one: every field is a flag of the
// name that kong derives, a variable SLUICE_..., and a key of the file.
type flags struct {
	Config  string           `placeholder:"FILE" help:"YAML file with any of these flags by name."`
	Version kong.VersionFlag `env:"-" help:"Print the version and exit."`

	redisFlags `group:"Redis"`
	kafkaFlags `group:"Kafka"`
	topicFlags `group:"Topics"`
	bufferOpts `group:"Buffering"`
	flushFlags `group:"Flushing"`
	operation  `group:"Operation"`
	demoFlags  `group:"Trying it out"`
}

type redisFlags struct {
	Redis []string `default:"127.0.0.1:6379" help:"Redis server; several addresses are nodes of one cluster."`
	RedisLogin
	RedisNamespace   string `default:"sluice:" help:"Put before every key."`
	RedisCompression bool   `help:"Keep spans compressed: less memory and network, more CPU."`
}

type kafkaFlags struct {
	Kafka []string `default:"127.0.0.1:9092" help:"Kafka brokers, of which one must answer."`
	KafkaLogin
}

type topicFlags struct {
	InputTopic      string `default:"ingest-spans" help:"Spans in."`
	OutputTopic     string `default:"buffered-segments" help:"Segments out."`
	DLQTopic        string `name:"dlq-topic" placeholder:"TOPIC" help:"Messages that are not spans, and records that no broker accepts (default: the input topic's name with -dlq)."`
	CreateTopics    bool   `help:"Create topics that are missing, instead of exiting with an error."`
	Partitions      int16  `type:"count" default:"broker" help:"Partitions of created topics; broker for the broker's default."`
	Replication     int16  `type:"count" default:"broker" help:"Replicas of created topics; broker for the broker's default."`
	Group           string `default:"sluice" help:"Consumer group."`
	ReadUncommitted bool   `help:"Read messages of open and of aborted transactions, too."`
	InstanceID      string `name:"instance-id" placeholder:"NAME" help:"Static group membership: a restart under the same name moves no partition."`
}

type bufferOpts struct {
	Timeout         time.Duration `type:"positive-duration" default:"60s" help:"How long after its last span a segment without a root is due."`
	RootTimeout     time.Duration `type:"positive-duration" default:"10s" help:"How long after its last span a segment with a root is due."`
	MaxSegmentBytes buffer.Bytes  `type:"size" default:"10MiB" help:"Beyond this size newcomers form a segment of their own; off for no limit."`
	MaxSegmentAge   time.Duration `type:"optional-duration" default:"off" help:"How long after its first span a segment is due at the latest; off for no limit."`
	LateWindow      time.Duration `type:"duration" default:"0s" help:"How long a flushed segment is remembered; only 0 is supported yet."`
	MaxBatch        int           `type:"held" default:"1000" help:"Maximum spans in a batch; up to four times as many while a partition lags."`
	MaxBatchWait    time.Duration `type:"duration" default:"1s" help:"Longest wait for a batch to fill up; never more than a twentieth of the shortest time-out."`
	Slice           string        `placeholder:"NAME" help:"Separates the queues, not the data, of pipelines that share a namespace; for the data take another --redis-namespace."`
	KillSwitch      string        `placeholder:"FILE" help:"YAML list of rules for spans to drop; read again when it changes and at SIGHUP."`
}

type flushFlags struct {
	FlusherProcesses  int           `type:"processes" default:"1" help:"Workers that flush; per-shard for one per partition."`
	FlusherMode       string        `enum:"process,goroutine" default:"process" help:"What a worker is: an OS process, or a goroutine."`
	MaxFlushSegments  int           `type:"held" default:"500" help:"Maximum segments in a worker's cycle, shared evenly by its shards; one of each at the least."`
	MaxUnhealthy      time.Duration `type:"unhealthy" default:"60s" help:"How long a worker may give no sign of life before it counts as hung; a start may take twice that."`
	BackpressureAfter time.Duration `type:"duration" default:"10s" help:"How long a worker may lag before its input pauses."`
	RestartBudget     int           `type:"budget" default:"10" help:"Restarts allowed per worker; one more failure ends the program."`
	MaxMemory         float64       `type:"share" default:"off" help:"Input pauses when a Redis node uses more than this share of its memory."`
	WorkerThreads     int           `type:"threads" default:"1" help:"CPUs that each worker process may use (GOMAXPROCS)."`
	WorkerMemory      buffer.Bytes  `type:"size" default:"512MiB" help:"Memory that each worker process tries to stay within (GOMEMLIMIT); off for no limit."`
	ShutdownTimeout   time.Duration `type:"patience" default:"30s" help:"How long to wait for what is in flight at shutdown; 0: not at all, none: as long as it takes. Closing connections takes up to 5s more."`
}

type operation struct {
	HTTP      string `type:"listen" name:"http" default:"127.0.0.1:8080" help:"Serve /metrics, /healthz, /readyz and /debug/pprof here; off to serve nothing."`
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"Lowest level that is logged: debug, info, warn or error."`
	LogFormat string `enum:"auto,text,json" default:"auto" help:"text, json, or auto: text on a terminal and json elsewhere."`
}

type demoFlags struct {
	Embedded     bool          `help:"Run Redis, Kafka and a load inside this program, and show the rates; with time-outs of 4s and 2s and a free HTTP port, unless others are given."`
	EmbeddedRate int           `type:"number" default:"2000" help:"Spans per second of the embedded load."`
	Duration     time.Duration `type:"optional-duration" default:"off" help:"Stop after this time."`
}
