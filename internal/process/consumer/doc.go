// Package consumer runs a pipeline as a child process of the harness, so that the harness can
// freeze, kill and replace the whole of it, and can have several at a time. Package process ties
// the two together.
//
// The consumer reports each event of supervisor and input, at once and in order; and its state
// after each event, and twenty times a second. The harness may read slowly: then states are left
// out, and events wait, but the pipeline goes on.
//
// Nothing outlives the harness, in whatever way it ends: its death is the end of the consumer,
// which in turn is the end of its workers. The harness finds every process of a run by a mark in
// its environment.
package consumer
