// Package worker starts flusher workers as OS processes or as goroutines.
//
// What a kind of worker does is a Run function, registered as a Role while packages are
// initialised; process.MaybeChild runs it in the worker's process, which package process ties to
// its parent.
//
// A report is a sign of life. The worker's core alone makes reports; what writes them to the pipe
// only thins them out, to one in reportInterval, and adds none, so a core that is stuck or frozen
// falls silent.
package worker
