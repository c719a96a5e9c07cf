package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// maxAnswer bounds one answer in bytes: 1,000 hosts with their firewalls take some 30 MiB.
const maxAnswer = 512 << 20

// connection is a session with a vCenter.
type connection struct {
	*vim25.Client
	remote  netip.Addr // of the server
	session *session.Manager
}

// connect opens a session. The name and password are sent only to a server that is trusted.
func connect(ctx context.Context, o *options, password string) (*connection, error) {
	trusted, err := trust(o)
	if err != nil {
		return nil, err
	}
	c := &connection{}
	plain := soap.NewClient(o.address, false)
	plain.UserAgent = "flowvet-vcenter"
	t := plain.DefaultTransport()
	t.Proxy, t.TLSClientConfig = nil, trusted
	t.DialTLSContext = nil // govmomi's own asks the thumbprint only where the authorities did not do
	t.DialContext = c.dial
	plain.Client.Transport = bounded{t}
	plain.Client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return errors.New("it sends to another place, which is not followed")
	}
	if c.Client, err = vim25.NewClient(ctx, plain); err != nil {
		return nil, told(ctx, o, err)
	}
	c.session = session.NewManager(c.Client)
	if err := c.session.Login(ctx, url.UserPassword(o.user, password)); err != nil {
		return nil, told(ctx, o, err)
	}
	return c, nil
}

// dial connects, and remembers to whom.
func (c *connection) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 30 * time.Second}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if at, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
		c.remote = at.Addr().Unmap().WithZone("")
	}
	return conn, nil
}

// logoutTime is how long the end of a session may take, also of one that was interrupted.
const logoutTime = 10 * time.Second

// close ends the session. A server that does not answer ends it by itself, half an hour later.
func (c *connection) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logoutTime)
	defer cancel()
	_ = c.session.Logout(ctx)
}

// trust says which certificate is accepted.
func trust(o *options) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case o.thumbprint != nil:
		config.InsecureSkipVerify = true // VerifyConnection is stricter: it accepts one certificate
		config.VerifyConnection = func(state tls.ConnectionState) error {
			if sum := sha256.Sum256(state.PeerCertificates[0].Raw); !bytes.Equal(sum[:], o.thumbprint) {
				return thumbprintError{sum}
			}
			return nil
		}
	case o.caFile != "":
		text, err := os.ReadFile(o.caFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: holds no certificate in PEM", o.caFile)
		}
	}
	return config, nil
}

// thumbprintError is a certificate that is not the one that was named.
type thumbprintError struct{ sum [sha256.Size]byte }

// Error says what the certificate's own thumbprint is.
func (e thumbprintError) Error() string { return "its certificate has the thumbprint " + colons(e.sum) }

// colons writes a thumbprint as vCenter's console does: 5E:FF:….
func colons(sum [sha256.Size]byte) string {
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}

// told returns an error as one line that says what to do.
func told(ctx context.Context, o *options, err error) error {
	var wrong thumbprintError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &wrong):
		return fmt.Errorf("%s: refused: %w, which is not the one of --thumbprint", o.address.Host, wrong)
	case errors.As(err, &untrusted):
		sum := sha256.Sum256(untrusted.UnverifiedCertificates[0].Raw)
		return fmt.Errorf("%s: refused: %w: compare its thumbprint at the vCenter's own console, then trust it by --thumbprint %s; "+
			"or name its authority with --ca-file", o.address.Host, untrusted.Err, colons(sum))
	case fault.Is(err, &types.InvalidLogin{}):
		return fmt.Errorf("%s: no such user, or a wrong password: %s", o.address.Host, o.user)
	case fault.Is(err, &types.NoPermission{}):
		return fmt.Errorf("%s: %s may not read this: the role \"read-only\" at the top of the vCenter, with its children, is needed", o.address.Host, o.user)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%s: no answer within %s (--timeout)", o.address.Host, o.timeout)
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: interrupted", o.address.Host)
	}
	var cause *url.Error
	if errors.As(err, &cause) {
		err = cause.Err
	}
	return fmt.Errorf("%s: %w", o.address.Host, err)
}

// bounded cuts answers at maxAnswer.
type bounded struct{ *http.Transport }

// RoundTrip sends one request.
func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := b.Transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	answer.Body = limited{io.LimitReader(answer.Body, maxAnswer), answer.Body}
	return answer, nil
}

// limited is the beginning of a body.
type limited struct {
	io.Reader
	io.Closer
}
