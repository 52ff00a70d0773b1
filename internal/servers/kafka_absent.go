package servers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The numbers of brokers.
const (
	// FirstBroker is the server itself.
	FirstBroker = 1
	// AbsentBroker is what AddAbsentBroker registers.
	AbsentBroker = 2
)

// AddAbsentBroker registers a second broker, which never comes. A partition that is to have a
// replica there has one too few in sync; that is the only way to have a single broker answer
// NOT_ENOUGH_REPLICAS, as min.insync.replicas counts no more replicas than a partition is to have
// (since Kafka 3.7). It is for a cluster that has just been started, once.
func (s *KafkaServer) AddAbsentBroker(ctx context.Context) error {
	err := s.addAbsentBroker(ctx)
	if err != nil {
		err = fmt.Errorf("register an absent broker with kafka %s: %w", s.Addr, err)
	}
	return err
}

func (s *KafkaServer) addAbsentBroker(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.controller))
	if err != nil {
		return err
	}
	defer client.Close()
	controller := client.SeedBrokers()[0]
	request := kmsg.NewPtrBrokerRegistrationRequest()
	request.BrokerID, request.ClusterID = AbsentBroker, kafkaClusterID
	request.LogDirs = make([][16]byte, 1)
	_, _ = rand.Read(request.IncarnationID[:]) // it never fails
	_, _ = rand.Read(request.LogDirs[0][:])
	listener := kmsg.NewBrokerRegistrationRequestListener()
	listener.Name, listener.Host, listener.Port = "PLAINTEXT", "127.0.0.1", 1
	request.Listeners = append(request.Listeners, listener)
	if request.Features, err = features(ctx, controller); err != nil {
		return err
	}
	answer, err := request.RequestWith(ctx, controller)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(answer.ErrorCode)
}

// features are those of the controller: a broker must have no fewer.
func features(
	ctx context.Context, controller *kgo.Broker,
) ([]kmsg.BrokerRegistrationRequestFeature, error) {
	request := kmsg.NewPtrApiVersionsRequest()
	request.ClientSoftwareName, request.ClientSoftwareVersion = "sluice", "1"
	answer, err := request.RequestWith(ctx, controller)
	if err == nil {
		err = kerr.ErrorForCode(answer.ErrorCode)
	}
	if err != nil {
		return nil, err
	}
	if len(answer.SupportedFeatures) == 0 {
		return nil, errors.New("the controller names no features")
	}
	var all []kmsg.BrokerRegistrationRequestFeature
	for _, f := range answer.SupportedFeatures {
		feature := kmsg.NewBrokerRegistrationRequestFeature()
		feature.Name = f.Name
		feature.MinSupportedVersion, feature.MaxSupportedVersion = f.MinVersion, f.MaxVersion
		all = append(all, feature)
	}
	return all, nil
}
