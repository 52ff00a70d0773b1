package servers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// preparedDir is the folder beside Kafka's jars that PrepareKafka makes.
const preparedDir = ".prepared"

// What is in the folder.
const (
	preparedClasses = "classes.jsa"
	preparedData    = "data"
)

// archiveMax bounds how long Java takes to write its archive when it ends.
const archiveMax = 2 * time.Minute

// PrepareKafka makes all later starts of a Kafka of these jars quicker: it keeps, beside them, Java's
// archive of the classes that a broker loads (class data sharing), and a formatted data folder. A
// second call does nothing; a call that fails leaves nothing.
func PrepareKafka(ctx context.Context) (err error) {
	libs, err := kafkaLibs()
	if err != nil {
		return err
	}
	dir := filepath.Join(libs, preparedDir)
	if _, err := os.Stat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tmp, err := os.MkdirTemp(libs, preparedDir+"-*")
	if err != nil {
		return fmt.Errorf("prepare kafka: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	s, err := newKafka(nil, "-XX:ArchiveClassesAtExit="+filepath.Join(tmp, preparedClasses))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Kill()) }()
	s.stopMax = archiveMax
	if err := os.CopyFS(filepath.Join(tmp, preparedData), os.DirFS(s.data())); err != nil {
		return fmt.Errorf("prepare kafka: %w", err)
	}
	if err := s.Start(); err != nil {
		return err
	}
	if err := s.use(ctx); err != nil {
		return fmt.Errorf("prepare kafka: %w", err)
	}
	if err := s.Stop(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(tmp, preparedClasses)); err != nil {
		return fmt.Errorf("prepare kafka: java has written no archive: %w", err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return fmt.Errorf("prepare kafka: %w", err)
	}
	return nil
}

// use has the broker do what tests ask of it, so that it loads the classes for it.
func (s *KafkaServer) use(ctx context.Context) error {
	const topic, group = "prepare", "prepare"
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Addr), kgo.DefaultProduceTopic(topic),
		kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, kafkaReadyMax)
	defer cancel()
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, 1, 1, nil, topic); err != nil {
		return err
	}
	if err := client.ProduceSync(ctx, kgo.StringRecord("one")).FirstErr(); err != nil {
		return err
	}
	if fetched := client.PollRecords(ctx, 1); fetched.NumRecords() == 0 {
		return fmt.Errorf("nothing to read: %w", errors.Join(fetched.Err(), ctx.Err()))
	}
	if err := client.CommitUncommittedOffsets(ctx); err != nil {
		return err
	}
	_, err = admin.DeleteTopic(ctx, topic)
	return err
}

// preparedJava are Java's options for what is prepared of these jars, none if nothing is.
func preparedJava(libs string) []string {
	classes := filepath.Join(libs, preparedDir, preparedClasses)
	if _, err := os.Stat(classes); err != nil {
		return nil
	}
	return []string{"-XX:SharedArchiveFile=" + classes}
}

// copyFormatted makes the data folder from the prepared one; done is false if there is none.
func (s *KafkaServer) copyFormatted() (done bool, err error) {
	libs, err := kafkaLibs()
	if err != nil {
		return false, err
	}
	from := filepath.Join(libs, preparedDir, preparedData)
	if _, err := os.Stat(from); err != nil {
		return false, nil
	}
	if err := os.CopyFS(s.data(), os.DirFS(from)); err != nil {
		return false, fmt.Errorf("format kafka's data: %w", err)
	}
	return true, nil
}
