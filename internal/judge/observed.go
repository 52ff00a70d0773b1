package judge

import (
	"slices"

	"sluice/buffer"
	"sluice/flusher"
)

// FirstConsumer is the index of the consumer that faults happen to.
const FirstConsumer = 0

// Move is a transition of a supervisor, as it was reported.
type Move struct {
	T float64
	// Consumer whose supervisor it is, and which of its lives.
	Consumer, Life int
	flusher.Event
}

// Look is the state of the consumers and their workers at one moment.
type Look struct {
	T     float64
	Phase string
	// Consumers that run, in the order of their indices.
	Consumers []ConsumerLook
	// Orphans are worker processes whose consumer is gone and that could end: they are not frozen.
	Orphans int
	// Processes counts all of the run that have not ended, consumers and workers, frozen or not.
	Processes int
	// Unknown is true if the processes could not be counted.
	Unknown bool
	// Peaks are the most worker processes that each consumer has had so far at any moment, also between
	// looks; nil where nobody counts but who looks.
	Peaks []Peak
}

// Alike tells whether in two looks the same consumers run, with the same shards, and are heard or not.
func (l Look) Alike(other Look) bool {
	return slices.EqualFunc(l.Consumers, other.Consumers, func(a, b ConsumerLook) bool {
		return a.Consumer == b.Consumer && a.Life == b.Life && (a.Heard > 0) == (b.Heard > 0) &&
			slices.EqualFunc(a.States, b.States, func(a, b flusher.WorkerState) bool {
				return a.Worker == b.Worker && slices.Equal(a.Shards, b.Shards)
			})
	})
}

// Peak is the greatest number of worker processes that a consumer has had, since Ago seconds before the
// look.
type Peak struct {
	Consumer, Live int
	Ago            float64
}

// ConsumerLook is the state of one consumer that runs.
type ConsumerLook struct {
	Consumer, Life int
	// Ending is true once it was asked to stop.
	Ending bool
	// Heard is how old its last report about itself is, in seconds: it cannot say anything while it is
	// frozen or starts.
	Heard  float64
	States []flusher.WorkerState
	// Live is how many worker processes it has, by the operating system.
	Live int
	// Closed are the shards whose input is to pause.
	Closed []buffer.Shard
	// Committed are the offsets behind what was committed in this life, by partition.
	Committed map[int32]int64
}

// Withheld is that a consumer had the source hold back a shard at a time, for longer than a moment, though the
// gate was open, and less of it waited than may.
type Withheld struct {
	T        float64
	Consumer int
	Shard    buffer.Shard
}

// Bare returns looks at consumers with nothing in them but whose shards are whose.
func Bare(looks []ConsumerLook) []ConsumerLook {
	bare := make([]ConsumerLook, len(looks))
	for i, c := range looks {
		bare[i] = ConsumerLook{Consumer: c.Consumer, Life: c.Life, Ending: c.Ending, Heard: c.Heard}
		for _, w := range c.States {
			bare[i].States = append(bare[i].States, flusher.WorkerState{Worker: w.Worker, Shards: w.Shards})
		}
	}
	return bare
}

// Remains is what may still come out of the system.
type Remains struct {
	// Store is what the store holds.
	Store buffer.Leftovers
	// Waiting counts the messages of the input that the group has not committed.
	Waiting int64
	// Err means that one of them is not known.
	Err error
}

// Hopeless tells whether nothing will ever come out again: every message is committed, so none is
// delivered again, and no queue of the store names anything.
func (r Remains) Hopeless() bool {
	return r.Err == nil && r.Waiting == 0 && !r.Store.Named()
}

// ShardNumbers returns shards as reports count them.
func ShardNumbers(shards []buffer.Shard) []int {
	list := make([]int, len(shards))
	for i, shard := range shards {
		list[i] = int(shard)
	}
	return list
}
