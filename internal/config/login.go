package config

import (
	"fmt"
	"os"
	"strings"

	"sluice/internal/kafkaio"
	"sluice/internal/pipeline"
)

// RedisLogin is the flags that say how Redis lets a program in, of every program that has them.
type RedisLogin struct {
	RedisUser         string   `placeholder:"NAME" env:"SLUICE_REDIS_USER" help:"ACL user. Its password comes from $$SLUICE_REDIS_PASSWORD or a file."`
	RedisPasswordFile string   `placeholder:"FILE" env:"SLUICE_REDIS_PASSWORD_FILE" help:"File that holds the password."`
	RedisTLS          tlsFlags `embed:"" prefix:"redis-" envprefix:"SLUICE_REDIS_"`
}

// KafkaLogin is those of Kafka.
type KafkaLogin struct {
	KafkaSASL         string   `name:"kafka-sasl" env:"SLUICE_KAFKA_SASL" enum:"none,plain,scram-sha-256,scram-sha-512" default:"none" help:"Login: none, plain, scram-sha-256 or scram-sha-512."`
	KafkaUser         string   `placeholder:"NAME" env:"SLUICE_KAFKA_USER" help:"User of the login. Its password comes from $$SLUICE_KAFKA_PASSWORD or a file."`
	KafkaPasswordFile string   `placeholder:"FILE" env:"SLUICE_KAFKA_PASSWORD_FILE" help:"File that holds the password."`
	KafkaTLS          tlsFlags `embed:"" prefix:"kafka-" envprefix:"SLUICE_KAFKA_"`
}

// tlsFlags are those of one server.
type tlsFlags struct {
	Enabled    bool   `name:"tls" env:"TLS" help:"Connect with TLS."`
	CAFile     string `name:"tls-ca" env:"TLS_CA" placeholder:"FILE" help:"CA certificates (PEM); default: the system's."`
	CertFile   string `name:"tls-cert" env:"TLS_CERT" placeholder:"FILE" help:"Client certificate (PEM)."`
	KeyFile    string `name:"tls-key" env:"TLS_KEY" placeholder:"FILE" help:"Key of the client certificate (PEM)."`
	ServerName string `name:"tls-server-name" env:"TLS_SERVER_NAME" placeholder:"NAME" help:"Name in the server's certificate, if not the host's."`
}

// Apply sets addresses and how to come in. The error is a *UsageError, or about a secret's file.
func (l RedisLogin) Apply(r *pipeline.Redis, addresses []string) (err error) {
	if err := noURL("redis", addresses); err != nil {
		return &UsageError{Err: err}
	}
	r.Addresses, r.User, r.TLS = addresses, l.RedisUser, pipeline.TLS(l.RedisTLS)
	r.Password, err = secret("redis-password", l.RedisPasswordFile)
	return err
}

// Apply sets addresses and how to come in. The error is a *UsageError, or about a secret's file.
func (l KafkaLogin) Apply(k *pipeline.Kafka, addresses []string) (err error) {
	if err := noURL("kafka", addresses); err != nil {
		return &UsageError{Err: err}
	}
	k.Brokers, k.SASL, k.TLS = addresses, kafkaio.SASL{User: l.KafkaUser}, pipeline.TLS(l.KafkaTLS)
	if l.KafkaSASL != "none" {
		k.SASL.Mechanism = kafkaio.Mechanism(l.KafkaSASL)
	}
	k.SASL.Password, err = secret("kafka-password", l.KafkaPasswordFile)
	return err
}

// noURL refuses addresses that may hold a password, and does not repeat them.
func noURL(flag string, addresses []string) error {
	for _, address := range addresses {
		if strings.ContainsAny(address, "@/") {
			return fmt.Errorf("--%s: an address looks like a URL: want host:port, the user in "+
				"--%s-user, and the password in $%s%s_PASSWORD", flag, flag, envPrefix,
				strings.ToUpper(flag))
		}
	}
	return nil
}

// secretBytesMax bounds a password; what is longer is not one.
const secretBytesMax = 64 << 10

// secret reads SLUICE_NAME, or the file that --NAME-file names: never the command line, which everyone
// can read.
func secret(name, file string) (kafkaio.Secret, error) {
	variable := envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	value, set := os.LookupEnv(variable)
	set = set && value != ""
	switch {
	case set && file != "":
		return "", &UsageError{Err: fmt.Errorf("both $%s and --%s-file are given: want one",
			variable, name)}
	case file == "":
		return kafkaio.Secret(value), nil
	}
	info, err := os.Stat(file)
	if err == nil && info.Size() > secretBytesMax {
		return "", &UsageError{Err: fmt.Errorf("--%s-file: %s has %d bytes: that is not a password",
			name, file, info.Size())}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--%s-file: %w", name, err)
	}
	word := strings.TrimRight(string(text), "\r\n")
	if word == "" {
		return "", &UsageError{Err: fmt.Errorf("--%s-file: %s is empty", name, file)}
	}
	return kafkaio.Secret(word), nil
}
