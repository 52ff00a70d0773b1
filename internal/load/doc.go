// Package load makes the input of a run: which message is sent when. It is open loop, so the load
// does not slow down when the system does, and it is a pure function of the scenario and its seed.
//
// How many spans are due by a time says scenarios.Pacer. Two parts, each usable alone:
//
//   - Recipe says what a span looks like: every byte of it follows from the seed, the number of its
//     trace's first span and its place in the trace. So a span that comes out of the system can be
//     compared with what went in without keeping what went in. The same holds for a bad message,
//     which is not a span: it is known by the number of the span that it follows.
//   - Generator interleaves, shuffles, delays and repeats the spans of many traces, leaves out the
//     roots of headless ones, and puts bad messages in between. One generator is enough for many
//     producers, who share out its messages by trace: it makes about ten times as many as a core
//     can send and check.
package load
