package diff

import (
	"maps"
	"slices"

	"sluice/reports"
)

// Older versions did not record Sample.RedisBytesAll, and what they recorded of a virtual cluster as
// RedisBytes was that of all nodes.

// recordsAll tells whether some sample has the memory of all nodes of Redis.
func recordsAll(samples []reports.Sample) bool {
	return slices.ContainsFunc(samples, func(s reports.Sample) bool { return s.RedisBytesAll > 0 })
}

// ofCluster tells whether some sample has more of all nodes than of the fullest.
func ofCluster(samples []reports.Sample) bool {
	return slices.ContainsFunc(samples, func(s reports.Sample) bool { return s.RedisBytesAll > s.RedisBytes })
}

// alike returns two lists of samples without what only one of them records.
func alike(a, b []reports.Sample) (x, y []reports.Sample) {
	if recordsAll(a) == recordsAll(b) {
		return a, b
	}
	cluster := ofCluster(a) || ofCluster(b)
	without := func(list []reports.Sample) []reports.Sample {
		list = slices.Clone(list)
		for i := range list {
			list[i].RedisBytesAll = 0
			if cluster {
				list[i].RedisBytes = 0
			}
		}
		return list
	}
	return without(a), without(b)
}

// forgetSums makes the memory of Redis unknown in a virtual set that has that of all nodes of a cluster,
// if the other set has that of the fullest.
func forgetSums(a, b Set) (x, y Set) {
	forget := func(of, other Set) Set {
		cluster := slices.ContainsFunc(other.Runs, func(r Run) bool { return ofCluster(r.Samples) })
		recorded := slices.ContainsFunc(of.Runs, func(r Run) bool { return recordsAll(r.Samples) })
		if !of.Virtual || !cluster || recorded {
			return of
		}
		of.Runs = slices.Clone(of.Runs)
		for i := range of.Runs {
			r := &of.Runs[i]
			r.Figures = maps.Clone(r.Figures)
			delete(r.Figures, RedisMemory)
			r.Samples = slices.Clone(r.Samples)
			for j := range r.Samples {
				r.Samples[j].RedisBytes = 0
			}
		}
		return of
	}
	return forget(a, b), forget(b, a)
}
