package main

import (
	"errors"

	"sluice/internal/config"
	"sluice/internal/pipeline"
	"sluice/internal/worlds/wall"
)

// loginFlags say how given servers let this program in.
type loginFlags struct {
	config.RedisLogin `group:"Login"`
	config.KafkaLogin `group:"Login"`
}

// servers are those at addresses.
func (f loginFlags) servers(redis, kafka []string) (r pipeline.Redis, k pipeline.Kafka, err error) {
	r, k = pipeline.DefaultRedis(), pipeline.DefaultKafka()
	err = errors.Join(f.RedisLogin.Apply(&r, redis), f.KafkaLogin.Apply(&k, kafka))
	_, usage := errors.AsType[*config.UsageError](err)
	if err == nil {
		err = errors.Join(r.Validate(), k.Validate())
		usage = err != nil
	}
	if usage {
		err = usageError{err}
	}
	return r, k, err
}

// access is what servers at addresses want.
func (f loginFlags) access(redis, kafka []string) (wall.Access, error) {
	r, k, err := f.servers(redis, kafka)
	return accessOf(r, k), err
}

func accessOf(r pipeline.Redis, k pipeline.Kafka) wall.Access {
	return wall.Access{
		RedisUser: r.User, RedisPassword: r.Password, RedisTLS: r.TLS, KafkaSASL: k.SASL, KafkaTLS: k.TLS,
	}
}

// replay returns the flags again. What came from a variable is among them, but for passwords.
func (f loginFlags) replay() string {
	text := ""
	add := func(name, value string) {
		if value != "" && value != "none" {
			text += " --" + name + " " + quote(value)
		}
	}
	secure := func(server string, tls pipeline.TLS) {
		if tls.Enabled {
			text += " --" + server + "-tls"
		}
		add(server+"-tls-ca", tls.CAFile)
		add(server+"-tls-cert", tls.CertFile)
		add(server+"-tls-key", tls.KeyFile)
		add(server+"-tls-server-name", tls.ServerName)
	}
	add("redis-user", f.RedisUser)
	add("redis-password-file", f.RedisPasswordFile)
	secure("redis", pipeline.TLS(f.RedisTLS))
	add("kafka-sasl", f.KafkaSASL)
	add("kafka-user", f.KafkaUser)
	add("kafka-password-file", f.KafkaPasswordFile)
	secure("kafka", pipeline.TLS(f.KafkaTLS))
	return text
}
