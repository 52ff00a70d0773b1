// Package bench measures the whole program: cmd/run with worker processes between a real Kafka and
// a real Redis, everything on this machine, with the account of every span checked afterwards.
//
//	go test -run '^$' -bench Pipeline -benchtime 1x -count 3 ./internal/bench
//	go test ./internal/bench -run Soak -v -timeout 20m -soak=5m
//	go test ./internal/bench -run Beside -v -programs old=FILE,new=FILE -load w2 -rounds 5
//
// Whatever it reports stands beside a pass-through of the same records in the same run: a client
// that copies the input topic to another topic and does nothing else. The ratio of the two says
// more than the rate alone, which depends on the machine and on who else is using it.
//
// TestBeside compares builds of cmd/run (go build -o FILE ./cmd/run) that take turns.
//
// For experiments, SLUICE_BENCH_FLAGS holds further flags for cmd/run ("--http 127.0.0.1:9000", to
// profile it), and SLUICE_BENCH_JAVA further options for Kafka's Java.
package bench
