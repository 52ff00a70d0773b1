// Package swarm draws whole scenarios at random: workload, options, topology, faults of the grammar at
// times, on conditions and again and again, and faults at ports. What is drawn is valid, and expects
// nothing but the invariants: whoever runs it asks whether they hold.
//
// It is swarm testing: each case also draws which kinds of fault are off in it. With all of them
// on in every case, those that end much would hide what the others do (Groce et al., Swarm Testing,
// ISSTA 2012). Two faults of most cases are not drawn: seeds in a row take turns so that each kind of fault
// is aimed at each stage of workers and consumers.
package swarm
