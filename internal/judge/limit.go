package judge

import (
	"cmp"
	"slices"

	"sluice/reports"
)

// Resource is something that can be the limit.
type Resource string

// The resources.
const (
	// RedisThread is the one thread of Redis, or of each of its nodes, as many as the sample says.
	RedisThread Resource = "the Redis thread"
	// WorkerCPU is a core for each worker process, Cores are those of the host.
	WorkerCPU Resource = "worker CPU"
	Cores     Resource = "the cores of the host"
	// Kafka are the cores of the brokers' hosts, if those are others, and Network the host's way to
	// servers that are on others.
	Kafka   Resource = "the cores of Kafka"
	Network Resource = "the network"
)

// Use is how busy a resource was: 1 is all that it has.
type Use struct {
	Resource Resource `json:"resource"`
	Share    float64  `json:"share"`
}

// saturatedFrom is the share of a resource from which on it counts as the limit.
const saturatedFrom = 0.85

// Host is what runs the pipeline.
type Host struct {
	// Cores of the host, 0 if that is not known. Shared is true if the servers and the load are on it,
	// too, but for those nodes of Redis of which a sample says that they are not.
	Cores  int
	Shared bool
	// Brokers is how many brokers Kafka has, each on a host of as many cores unless all is shared. 0: one.
	Brokers int
}

// Uses returns how busy the resources were between two samples, the busiest first, with so many
// workers; those that were not measured are missing.
func Uses(from, to reports.Sample, workers int, host Host) []Use {
	var list []Use
	lasted := to.T - from.T
	add := func(r Resource, seconds, of float64) {
		if seconds > 0 && of > 0 && lasted > 0 {
			list = append(list, Use{r, seconds / (of * lasted)})
		}
	}
	worked := to.CPUWorkers - from.CPUWorkers
	all := worked + to.CPUConsumer - from.CPUConsumer
	if host.Shared {
		all += to.CPURedisHere() - from.CPURedisHere() + to.CPUKafka - from.CPUKafka +
			to.CPUHarness - from.CPUHarness
	} else {
		add(Kafka, to.CPUKafka-from.CPUKafka, float64(host.Cores*max(1, host.Brokers)))
		add(Network, to.NetworkBusy-from.NetworkBusy, 1)
	}
	add(RedisThread, to.CPURedis-from.CPURedis, float64(max(1, to.RedisNodes)))
	add(WorkerCPU, worked, float64(workers))
	add(Cores, all, float64(host.Cores))
	slices.SortStableFunc(list, func(a, b Use) int { return cmp.Compare(b.Share, a.Share) })
	return list
}

// Limiting returns the first of the uses, the busiest first, if it is saturated.
func Limiting(list []Use) (Use, bool) {
	if len(list) == 0 || list[0].Share < saturatedFrom {
		return Use{}, false
	}
	return list[0], true
}
