package wall

import (
	"fmt"

	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/kafkaio"
	"sluice/internal/pipeline"
)

// Access is what servers want of a client, beside their addresses. The zero value is plain text and
// no login.
type Access struct {
	// RedisUser and RedisPassword are those of an ACL user; a password alone is the default user's.
	RedisUser     string
	RedisPassword kafkaio.Secret
	RedisTLS      pipeline.TLS
	KafkaSASL     kafkaio.SASL
	KafkaTLS      pipeline.TLS
}

// Redis is the buffer at addresses, without a namespace.
func (a Access) Redis(addresses []string) pipeline.Redis {
	r := pipeline.DefaultRedis()
	r.Addresses, r.Namespace = addresses, ""
	r.User, r.Password, r.TLS = a.RedisUser, a.RedisPassword, a.RedisTLS
	return r
}

// Kafka is the cluster of brokers.
func (a Access) Kafka(brokers []string) pipeline.Kafka {
	k := pipeline.DefaultKafka()
	k.Brokers, k.SASL, k.TLS = brokers, a.KafkaSASL, a.KafkaTLS
	return k
}

// DialRedis connects to a server, or the nodes of a cluster, without any proxy.
func (a Access) DialRedis(addresses []string) (rueidis.Client, error) {
	private, err := a.RedisTLS.Load(nil)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return rueidis.NewClient(rueidis.ClientOption{InitAddress: addresses, DisableCache: true,
		Username: a.RedisUser, Password: string(a.RedisPassword), TLSConfig: private.Config()})
}

// freshMetadata has a client ask again instead of remembering, so that what was deleted is seen to go.
var freshMetadata = kgo.MetadataMinAge(goneEvery / 2)

// DialKafka makes a client of brokers. It connects when it is first used.
func (a Access) DialKafka(brokers []string) (*kgo.Client, error) {
	c, err := a.Kafka(brokers).Connection(nil)
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(append(c.Dialing(), freshMetadata)...)
}
