// Command prepare makes later starts of Kafka quicker; see servers.PrepareKafka. It takes no
// arguments; SLUICE_KAFKA_LIBS names the jars.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"sluice/internal/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := servers.PrepareKafka(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
