package codec

import (
	"fmt"
	"strings"
)

// Error says what is wrong with one message. It condemns that message alone and never passes.
type Error struct {
	// Field is the name of the field that is wrong, or empty if the message is no JSON object.
	Field string
	// Reason says what was found and what would be right.
	Reason string
}

// Error returns the field and the reason.
func (e *Error) Error() string {
	if e.Field == "" {
		return "message " + e.Reason
	}
	return "field " + e.Field + " " + e.Reason
}

// quoteMax is the number of bytes of a wrong value that an error repeats.
const quoteMax = 80

// found is the text of a wrong value as an error repeats it.
func found(value []byte) string {
	if len(value) > quoteMax {
		return fmt.Sprintf("%s... (%d bytes)",
			strings.ToValidUTF8(string(value[:quoteMax]), "?"), len(value))
	}
	return strings.ToValidUTF8(string(value), "?")
}

// wrong is the error of a field whose value is not what is wanted; an empty value is an absent
// field.
func wrong(field, want string, value []byte) error {
	if len(value) == 0 {
		return &Error{Field: field, Reason: "is missing, want " + want}
	}
	return &Error{Field: field, Reason: "is " + found(value) + ", want " + want}
}
