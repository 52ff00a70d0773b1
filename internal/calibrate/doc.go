// Package calibrate measures on real servers what the virtual world's steps take (sim.Costs).
//
// The code that it measures is that of production: the ingest loop, the worker, the store, the
// codec, the source and the producer, in this process, one stage after the other, so that what the
// process and each server computed meanwhile belongs to the stage:
//
//	fill      the load's messages go to the input topic        the harness, Kafka
//	ingest    ingest.Loop reads them into Redis                a consumer, Kafka, Redis
//	flush     flusher.RunWorker writes them to the output      a worker, Kafka, Redis
//	collect   the ledger reads and checks the output           the harness, Kafka
//
// Beside that each step of the store is driven alone. Several shapes of the load (spans of a trace,
// bytes of a span, how full batches are) give as many equations for what a call, a span, or a
// kilobyte takes, which are solved by least squares with no cost below 0. All of it is done several
// times over, each time solved for itself: the value of a cost is the median, its spread that of the
// repeats.
package calibrate
