// Package kafkaio is the Kafka side of the pipeline: a flusher.Producer and a flusher.Source over
// franz-go, and the checks that a program makes before it starts.
//
// Nothing here gives up on a broker that is away: records and commits wait, said once and resumed
// once in the log (see health.go). What cannot pass by waiting is an error: a refused login, a
// forbidden topic, a group member that another one replaced.
//
// Memory is bounded by names in ProducerConfig and SourceConfig: a producer holds at most
// BufferedRecordsMax and BufferedBytesMax, a source at most HeldBytesMax per partition beside one
// fetch of FetchBytesMax per broker.
package kafkaio
