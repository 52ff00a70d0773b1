// Package capacity answers how many flusher processes a workload needs: for each process count it
// searches the highest rate that a scenario sustains, fits the Universal Scalability Law to what it
// found, and recommends the least count that carries a target with headroom. It refuses where the
// measurements do not say.
//
//	Probe      one run at one rate: sustained or not, and what was busy
//	Search     the highest sustained rate of a process count
//	Report     points, fit, limits and the recommendation
//
// docs/capacity.md says how to read it.
package capacity
