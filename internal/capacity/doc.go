// Package capacity answers how many flusher processes a workload needs: for each process count it
// searches the highest rate that a scenario sustains, fits the Universal Scalability Law to what it
// found, and recommends the least count that carries a target with headroom. It refuses where the
// measurements do not say.
//
//	Needs      how long a run must be at a rate
//	Probe      one run at one rate: sustained or not, and what was busy
//	Search     the highest sustained rate of a process count
//	Plan       which counts, in which order, from where each search begins
//	Trial      a fault at a rate, and how long it took to recover
//	Report     points, law, limits and the recommendation
//	Outlook    a process, Redis or the readers lost; memory, retention
//	Stability  where it no longer recovers
//	Cost       what a million spans cost
//	Document   all of it, words first
//
// docs/capacity.md says how to read it.
package capacity
