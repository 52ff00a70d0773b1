// Package process runs this program a second time, as a process of its own with a part to play: a
// flusher worker (process/worker) or a whole pipeline under the harness (process/consumer). It also
// knows what the operating system says of a process.
//
// A Role is such a part. Each is registered while packages are initialised; MaybeChild, called
// first in main (and in TestMain), runs the one that this process was started for, if any, which a
// hidden first argument says. Three pipes tie the process to its parent:
//
//	stdin   parent -> child   one JSON line to begin with (the settings), one to stop
//	fd 3    child -> parent   reports, one JSON line each, and the error that it ends with
//	stderr  child -> parent   its log, one JSON line per record
//
// Settings, secrets among them, go through the pipe alone: neither the argument list nor the
// environment of a child holds any.
//
// No orphan survives, in whatever way the parent ends: only the parent holds the other end of
// stdin, so its death is an end of file there, and the child ends at once. A frozen child does so
// when it wakes; on Linux that is at once too, because each child is a process group of its own,
// which the parent's death orphans, and the kernel continues what is stopped in such a group. The
// group also keeps a terminal's Ctrl-C from the children, which are ended by their parent alone.
package process
