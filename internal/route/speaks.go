package route

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// speaksMax bounds the question whether a server speaks TLS.
const speaksMax = time.Second

// TLSAdvice connects once more to a server that could not be talked to, and says in words if one of
// the two sides speaks TLS and the other does not. It is empty if both agree, or nobody answers.
func TLSAdvice(ctx context.Context, routes map[string]string, address string, private bool) string {
	ctx, cancel := context.WithTimeout(ctx, speaksMax)
	defer cancel()
	conn, err := Dial(ctx, routes, address, &net.Dialer{}, nil)
	if err != nil {
		return ""
	}
	defer conn.Close()
	// Whose certificate it is does not matter here, and nothing is sent.
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx)
	_, alert := errors.AsType[tls.AlertError](err)
	switch speaks := err == nil || alert; {
	case speaks && !private:
		return "; it speaks TLS, which is off here"
	case !speaks && private:
		return "; it does not speak TLS on this port, which is on here"
	}
	return ""
}
