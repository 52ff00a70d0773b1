package servers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// kafkaClusterID is any UUID in Kafka's base64 form; every server has a cluster to itself.
const kafkaClusterID = "c2x1aWNlLXNsdWljZS1zbA"

// kafkaProperties configures a single node for tests: everything is replicated once, a consumer
// group starts at its first member, and few internal partitions keep the start short. A killed
// broker may register again only when its old session has ended: 3 s here, 9 s by default. The voters
// are fixed, as Kafka before 3.9 knows no other quorum. What a workload sees (message size, segments, flushing) stays at Kafka's defaults.
func kafkaProperties(broker, controller, data string) string {
	return fmt.Sprintf(`process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://%[1]s,CONTROLLER://%[2]s
advertised.listeners=PLAINTEXT://%[1]s
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@%[2]s
log.dirs=%[3]s
num.partitions=1
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=8388608
`, broker, controller, data)
}

// listener is one beside that at which everybody may do everything.
type listener struct{ protocol, properties string }

// listener is one at which clients must log in and may do only what rules allow. Whoever comes by
// another listener has no name, and may do everything.
func (l Logins) listener() *listener {
	if l == nil {
		return nil
	}
	users := ""
	for _, user := range slices.Sorted(maps.Keys(l)) {
		users += fmt.Sprintf(" user_%s=%q", user, l[user])
	}
	return &listener{"SASL_PLAINTEXT", `listener.name.guarded.sasl.enabled.mechanisms=PLAIN
listener.name.guarded.plain.sasl.jaas.config=\
  org.apache.kafka.common.security.plain.PlainLoginModule required` + users + `;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
`}
}

// private is a listener that speaks TLS.
func private(pemFile string) *listener {
	return &listener{"SSL", `listener.name.guarded.ssl.keystore.type=PEM
listener.name.guarded.ssl.keystore.location=` + pemFile + "\n"}
}

// guardedProperties add the listener; of two equal names the last counts.
func guardedProperties(broker, controller, guarded string, l listener) string {
	return strings.NewReplacer("@broker", broker, "@controller", controller, "@guarded", guarded,
		"@protocol", l.protocol).Replace(`listeners=PLAINTEXT://@broker,CONTROLLER://@controller,GUARDED://@guarded
advertised.listeners=PLAINTEXT://@broker,GUARDED://@guarded
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:@protocol
`) + l.properties
}
