// Package e2e holds the tests that run the built program against real servers, break it, and keep
// an exact account of every span: frozen and killed workers, the program itself killed, Redis
// full, Kafka stopped, and all of it on Redis Cluster. What operators see of it is checked there, too:
// /readyz, the metrics, the log, the exit codes, and what signals do.
package e2e
