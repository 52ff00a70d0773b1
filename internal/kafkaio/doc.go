// Package kafkaio is the Kafka side of the pipeline: a flusher.Producer and a flusher.Source over
// franz-go, and the checks that a program makes before it starts.
//
// Nothing here gives up on a broker that is down: records and commits wait, and the log says so
// once at the start and once at the end (see health.go). What waiting cannot cure is an error: a
// refused login, a forbidden topic, a group member that another one replaced.
//
// Memory is bounded by names in ProducerConfig and SourceConfig: a producer holds at most
// BufferedRecordsMax and BufferedBytesMax, a source at most HeldBytesMax per partition and
// HeldBytesTotal of all, with one fetch more of each, beside one fetch of FetchBytesMax per broker.
package kafkaio
