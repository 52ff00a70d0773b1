// Package wall is a run on the wall clock, whatever its servers are: the part that the worlds fakes
// and real, below it, have in common.
//
//	System     the run: servers behind addresses, and the network to them
//	fleet      the consumers, each a child process with worker processes of its own
//	sender     the load, open loop; collector: what comes out
//	meters     what processes and servers use
//	trimmer    deletes what everybody has read, where Kafka is in memory
//	Backend    what a world can do to its servers that the network cannot
package wall
