// Package usl fits the Universal Scalability Law to throughput against a number of processes, and
// says how sure the fit is.
//
//	X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1))
//
// lambda is the throughput of one process, sigma the share of the work that the processes do one
// after the other (contention), kappa what each pair of them costs to keep in step (coherency). With
// kappa above 0, throughput has a peak; without, it goes towards lambda/sigma. The law is N. J.
// Gunther's (Guerrilla Capacity Planning, 2007).
package usl
