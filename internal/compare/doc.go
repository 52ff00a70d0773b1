// Package compare puts what the virtual world predicts beside what was measured: the same scenario in
// two worlds, its figures with the error of each, and whether the same happened in the same order.
//
//	Figures    what is taken of one run
//	Row        the figures of both worlds with a number of processes
//	Sequence   what happened, in its order
//	Report     all of it, and what is beyond the tolerance
package compare
