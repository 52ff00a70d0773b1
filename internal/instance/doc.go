// Package instance runs one instance of the pipeline as a child process: a consumer with its
// workers, as cmd/run is one, under the eyes of the harness that started it. So the whole of it can
// be frozen and killed, several can share a consumer group, and nothing of it survives the harness.
//
// The harness gives orders over the child's standard input: the first line is the configuration, a
// later one says stop. Its end means that the harness is gone, in whatever way: the child ends at
// once, and its workers with it, as they do when their parent is gone. The child tells over file
// descriptor 3 what happens (every transition, in order) and how things stand (a look, twenty times
// a second), as JSON lines. Its log goes to standard error.
//
// The child is this program, started again: main, and TestMain of tests, calls MaybeRun first.
package instance
