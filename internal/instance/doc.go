// Package instance runs a pipeline as a child process of the harness, so that the harness can
// freeze, kill and replace the whole of it, and can have several at a time.
//
// The child is this same program, started again with a hidden first argument: MaybeRun, called
// first in main (and in TestMain) beside spawn.MaybeWorker, is where it takes the other road. It
// is tied to the harness by the pipes of package child:
//
//	stdin   harness -> child   one JSON line to begin with (the pipeline's config), one to stop
//	fd 3    child -> harness   each event of supervisor and input, at once and in order; the state
//	                           after each event, and twenty times a second
//	stderr  child -> harness   its log and its workers'
//
// The harness may read slowly: then states are left out, and events wait, but the pipeline goes
// on.
//
// Nothing outlives the harness, in whatever way it ends: its death is the end of the child's stdin,
// at which the child ends at once, which in turn is the end of its workers' stdin. The child is a
// process group of its own, like each worker, so that a frozen one is continued by the kernel when
// its parent dies, and a terminal's Ctrl-C reaches the harness alone.
package instance
