package kafkaio

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	cfg, book := configFor("127.0.0.1:1")
	cfg.SASL = SASL{Mechanism: Plain, User: "me", Password: "hunter2"}
	cfg.Log.Info("starting", "sasl", cfg.SASL, "password", cfg.SASL.Password)
	slog.New(slog.NewJSONHandler(book, nil)).Info("starting", "sasl", cfg.SASL)
	encoded, err := json.Marshal(cfg.SASL)
	if err != nil {
		t.Fatal(err)
	}
	printed := book.String() + string(encoded) +
		fmt.Sprintf("%v %+v %#v %s %q", cfg.SASL, cfg.SASL, cfg.SASL, cfg.SASL.Password,
			cfg.SASL.Password)
	if strings.Contains(printed, "hunter2") || strings.Count(printed, redacted) < 8 {
		t.Errorf("printed:\n%s", printed)
	}
	if got := Secret("").String(); got != "" {
		t.Errorf("no secret prints as %q", got)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	cfg := Config{
		Brokers: []string{"localhost", "a:1"},
		SASL:    SASL{Mechanism: "md5", User: "u", Password: "hunter2"},
		TLS:     func() *tls.Config { return &tls.Config{} }, //nolint:gosec // not used
		Dial:    (&net.Dialer{}).DialContext,
	}
	err := cfg.Validate()
	for _, part := range []string{
		`"localhost" is not host:port`, `"md5" is unknown: want plain`, "tls", "check timeout",
	} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("Validate = %v, which lacks %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error holds the password: %v", err)
	}
	for _, login := range []SASL{{Mechanism: Plain}, {User: "u"}} {
		cfg, _ := configFor("a:1")
		cfg.SASL = login
		if cfg.Validate() == nil {
			t.Errorf("%+v is taken", login)
		}
	}
	producer := ProducerConfig{Linger: -1, Compression: "rar"}.Validate()
	source := SourceConfig{}.Validate()
	for _, part := range []string{"buffered records", "buffered bytes", "linger", `"rar"`} {
		if producer == nil || !strings.Contains(producer.Error(), part) {
			t.Errorf("Validate = %v, which lacks %q", producer, part)
		}
	}
	for _, part := range []string{"input topic", "consumer group", "session timeout", "held bytes"} {
		if source == nil || !strings.Contains(source.Error(), part) {
			t.Errorf("Validate = %v, which lacks %q", source, part)
		}
	}
}
