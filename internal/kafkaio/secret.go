package kafkaio

import "log/slog"

// redacted stands wherever a secret would be printed.
const redacted = "[redacted]"

// Secret is a password: no verb, logger or encoder prints it. Convert it with string(s) at the one
// place that needs it. The zero Secret means that there is none.
type Secret string

// String returns a placeholder, or nothing if the secret is empty.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString is what %#v prints: the placeholder.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// LogValue is what a structured log holds: the placeholder.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is what JSON and YAML hold: the placeholder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
