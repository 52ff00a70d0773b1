package pipeline

import (
	"encoding/json"
	"fmt"

	"sluice/internal/kafkaio"
)

// portable is a configuration on its way to another process. The passwords stand apart, since
// kafkaio.Secret does not print itself, in JSON neither.
type portable struct {
	Config        Config
	RedisPassword string
	KafkaPassword string
}

// Portable returns the configuration as text for another process of this program: all of it but the
// functions and the log. The text holds passwords.
func (c Config) Portable() ([]byte, error) {
	text, err := json.Marshal(portable{c, string(c.Redis.Password), string(c.Kafka.SASL.Password)})
	if err != nil {
		return nil, fmt.Errorf("encode the pipeline's configuration: %w", err)
	}
	return text, nil
}

// ReadPortable reads what Portable wrote.
func ReadPortable(text []byte) (Config, error) {
	var p portable
	if err := json.Unmarshal(text, &p); err != nil {
		return Config{}, fmt.Errorf("decode the pipeline's configuration: %w", err)
	}
	p.Config.Redis.Password = kafkaio.Secret(p.RedisPassword)
	p.Config.Kafka.SASL.Password = kafkaio.Secret(p.KafkaPassword)
	return p.Config, nil
}
