package pipeline

import (
	"encoding/json"
	"fmt"

	"sluice/internal/kafkaio"
)

// encoded is a Config for another process. The passwords stand apart, since kafkaio.Secret does
// not print itself, in JSON neither.
type encoded struct {
	Config        Config
	RedisPassword string
	KafkaPassword string
}

// Encode returns the config as JSON, for a pipe to another process of this program: passwords are
// in it. Functions and Log are not.
func (c Config) Encode() ([]byte, error) {
	text, err := json.Marshal(encoded{
		Config:        c,
		RedisPassword: string(c.Redis.Password),
		KafkaPassword: string(c.Kafka.SASL.Password),
	})
	if err != nil {
		return nil, fmt.Errorf("encode the pipeline's config: %w", err)
	}
	return text, nil
}

// Decode reads what Encode wrote.
func Decode(text []byte) (Config, error) {
	var e encoded
	if err := json.Unmarshal(text, &e); err != nil {
		return Config{}, fmt.Errorf("decode the pipeline's config: %w", err)
	}
	e.Config.Redis.Password = kafkaio.Secret(e.RedisPassword)
	e.Config.Kafka.SASL.Password = kafkaio.Secret(e.KafkaPassword)
	return e.Config, nil
}
