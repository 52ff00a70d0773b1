package kafkaio

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
)

// BrokerAddresses returns the addresses of all brokers, "host:port" each, as they tell them to clients, in the order
// of their numbers.
func BrokerAddresses(ctx context.Context, admin *kadm.Client) ([]string, error) {
	brokers, err := admin.ListBrokers(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask kafka for its brokers: %w", err)
	}
	var addresses []string
	for _, b := range brokers {
		addresses = append(addresses, net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))))
	}
	return addresses, nil
}
