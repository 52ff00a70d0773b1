// Package spawn starts flusher workers as OS processes or as goroutines.
//
// A worker process is this same program, started again with a hidden first argument. What it runs
// is a Run function registered under a name; MaybeWorker, called first in main (and in TestMain),
// is where the process takes the other road. Three pipes tie it to its parent:
//
//	stdin   parent -> worker   one JSON line to begin with (settings, spec), one to stop
//	fd 3    worker -> parent   one JSON line per report, at most one per reportInterval
//	stderr  worker -> parent   its log, one JSON line per record, passed on with the worker's number
//
// Settings, secrets among them, go through the pipe alone: neither the argument list nor the
// environment of a worker holds any.
//
// No orphan survives, in whatever way the parent ends: only the parent holds the other end of
// stdin, so its death is an end of file there, and the worker ends at once. A frozen worker does so
// when it wakes; on Linux that is at once too, because each worker is a process group of its own,
// which the parent's death orphans, and the kernel continues what is stopped in such a group.
// The group also keeps a terminal's Ctrl-C from the workers, which are ended by their parent alone.
//
// A report is a sign of life. The worker's core alone makes reports; what writes them to the pipe
// only thins them out and adds none, so a core that is stuck or frozen falls silent.
package spawn
