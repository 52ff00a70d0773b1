package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/moduleroot"
)

const (
	kafkaReadyMax  = 60 * time.Second
	kafkaFormatMax = 60 * time.Second
	kafkaStopMax   = 30 * time.Second
)

// EnvKafkaLibs names a folder of jars, laid by kafka_jars of scripts/lib.sh, of the Kafka to start. Unset or
// empty: that of `make tools`.
const EnvKafkaLibs = "SLUICE_KAFKA_LIBS"

// KafkaServer is one Kafka process (see EnvKafkaLibs), broker and controller in one, on a loopback
// port that stays the same over restarts, as do its data. It creates no topics by itself. Not safe for
// concurrent use.
type KafkaServer struct {
	server
	// Guarded is the address at which clients must log in and may do only what rules (ACLs) allow, or
	// must speak TLS; at Addr everybody may do everything in plain text. Empty unless asked for.
	Guarded    string
	second     *listener // nil: none
	controller string    // its listener's address
	java       []string
	config     string
}

// Logins are passwords by user, for SASL PLAIN.
type Logins map[string]string

// QuickJava has Java compile little: a start costs 2.7 s of processor time instead of 4.3, and full
// speed is never reached. That suits tests.
const QuickJava = "-XX:TieredStopAtLevel=1"

// StartKafka starts a Kafka server, with further options for Java, and returns when it answers a
// metadata request (about 5 s, 350 MB). It is made to run long and fast, as benchmarks want it.
func StartKafka(options ...string) (*KafkaServer, error) { return StartGuardedKafka(nil, options...) }

// StartGuardedKafka is StartKafka with a second listener for users with logins; nil: without.
func StartGuardedKafka(logins Logins, options ...string) (*KafkaServer, error) {
	return startKafka(logins.listener(), options...)
}

// StartPrivateKafka is StartKafka with a second listener, which speaks TLS. The file holds its
// certificate and its key (PEM, PKCS #8).
func StartPrivateKafka(pemFile string, options ...string) (*KafkaServer, error) {
	return startKafka(private(pemFile), options...)
}

func startKafka(second *listener, options ...string) (*KafkaServer, error) {
	return retryPorts(func() (*KafkaServer, error) {
		s, err := newKafka(second, options...)
		if err != nil {
			return nil, err
		}
		if err := s.Start(); err != nil {
			return nil, errors.Join(err, s.Kill())
		}
		return s, nil
	})
}

// newKafka configures a server and formats its data.
func newKafka(second *listener, options ...string) (*KafkaServer, error) {
	java, err := kafkaJava()
	if err != nil {
		return nil, err
	}
	java = append(java, options...)
	g, err := theGuard()
	if err != nil {
		return nil, err
	}
	dir, err := g.dir("kafka")
	if err != nil {
		return nil, fmt.Errorf("start kafka: %w", err)
	}
	s := &KafkaServer{server: server{dir: dir, stopMax: kafkaStopMax}, java: java, second: second,
		config: filepath.Join(dir, "server.properties")}
	if err := s.configure(); err != nil {
		return nil, err
	}
	return s, s.format()
}

// data is the folder of what it stores.
func (s *KafkaServer) data() string { return filepath.Join(s.dir, "data") }

// configure writes the server's properties on fresh ports.
func (s *KafkaServer) configure() error {
	port, err := FreePort()
	if err != nil {
		return err
	}
	controller, err := FreePort()
	if err != nil {
		return err
	}
	s.Addr = loopback(port)
	s.controller = loopback(controller)
	text := kafkaProperties(s.Addr, s.controller, s.data())
	if s.second != nil {
		port, err := FreePort()
		if err != nil {
			return err
		}
		s.Guarded = loopback(port)
		text += guardedProperties(s.Addr, s.controller, s.Guarded, *s.second)
	}
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		return fmt.Errorf("start kafka: %w", err)
	}
	return nil
}

// format prepares the data folder, once in the server's life.
func (s *KafkaServer) format() error {
	if done, err := s.copyFormatted(); done || err != nil {
		return err
	}
	argv := append(slices.Clone(s.java), QuickJava,
		"kafka.tools.StorageTool", "format", "-t", kafkaClusterID, "-c", s.config)
	proc, err := startProcess("kafka-format", s.dir, argv...)
	if err != nil {
		return err
	}
	if !proc.waitExit(kafkaFormatMax) {
		late := fmt.Errorf("format kafka's data: not done after %s", kafkaFormatMax)
		return errors.Join(late, proc.kill())
	}
	if proc.status != 0 {
		return fmt.Errorf("format kafka's data: %s:\n%s", exitCause(proc.status), proc.tail())
	}
	return nil
}

// Start starts the server again after Stop or Kill, on the same port with the same data, and
// returns when it answers.
func (s *KafkaServer) Start() error {
	argv := append(slices.Clone(s.java), "kafka.Kafka", s.config)
	return s.launch("kafka", kafkaReadyMax, s.answers, argv...)
}

// answers asks for the metadata, as a client of the test will do next.
func (s *KafkaServer) answers() error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Addr), kgo.RetryTimeout(time.Second))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	brokers, err := kadm.NewClient(client).ListBrokers(ctx)
	if err == nil && len(brokers) == 0 {
		err = fmt.Errorf("kafka %s names no broker yet", s.Addr)
	}
	return err
}

// kafkaJava is the command line up to the main class, or ErrMissing.
func kafkaJava() ([]string, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return nil, fmt.Errorf("java 17, which Kafka needs, is %w", ErrMissing)
	}
	libs, err := kafkaLibs()
	if err != nil {
		return nil, err
	}
	stamps, err := filepath.Glob(filepath.Join(libs, ".complete-*"))
	if err != nil || len(stamps) == 0 {
		return nil, fmt.Errorf("kafka (%s) is %w", libs, ErrMissing)
	}
	java := append([]string{
		"java", "-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
	}, preparedJava(libs)...)
	return append(java, "-cp", filepath.Join(libs, "*")), nil
}

// kafkaLibs is the folder of Kafka's jars.
func kafkaLibs() (string, error) {
	if libs := os.Getenv(EnvKafkaLibs); libs != "" {
		return filepath.Abs(libs)
	}
	root, err := moduleroot.Find()
	if err != nil {
		return "", fmt.Errorf("kafka is %w (its jars are looked for from Sluice's own folder down: %w)",
			ErrMissing, err)
	}
	return filepath.Join(root, ".services", "kafka", "libs"), nil
}
