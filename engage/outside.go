package engage

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"unicode"
)

// What others write may hold anything: a server repeats the password that it was sent, a
// command the row that it could not write. Whatever of it comes into an error or a log
// passes cleaner, or is said in own words.

// maxOutside is how much of a text from outside is shown, in bytes.
const maxOutside = 300

var (
	secretName = regexp.MustCompile(`(?i)TOKEN|SECRET|PASS|.PWD|KEY|CREDENTIAL|AUTH|CONNECTION_STRING|WEBHOOK`) // not PWD, which is a folder
	userInfo   = regexp.MustCompile(`://\S+@`)
	mail       = regexp.MustCompile(`[\pL\pN._%+-]+@[\pL\pN-]+(\.[\pL\pN-]+)+`)
)

// cleaner returns a function that makes a text from outside one line that can be shown. It
// takes secrets out: those named, those that the names of environment variables tell, and
// what stands before the @ of an address; and mail addresses.
func cleaner(secrets ...string) func(string) string {
	all := slices.Clone(secrets)
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); secretName.MatchString(name) {
			all = append(all, value)
			all = append(all, strings.Split(value, "\n")...) // it is looked for line by line
		}
	}
	// What is so short is no secret, and stands in every other word.
	all = slices.DeleteFunc(all, func(s string) bool { return len(strings.TrimSpace(s)) < 4 })
	// The longest first, or a secret that begins with another one would show its end.
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var pairs []string
	for _, secret := range all {
		pairs = append(pairs, secret, "***")
	}
	replacer := strings.NewReplacer(pairs...)
	return func(text string) string {
		text = userInfo.ReplaceAllString(replacer.Replace(text), "://***@")
		text = mail.ReplaceAllString(strings.ToValidUTF8(text, "�"), "***")
		text = strings.TrimSpace(strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, text))
		if len(text) > maxOutside {
			text = strings.ToValidUTF8(text[:maxOutside], "") + "…"
		}
		return text
	}
}

// noAnswer says in own words why a request had no answer that could be read. What the other
// side wrote is not in it, although it is in most such errors.
func noAnswer(err error) string {
	var record tls.RecordHeaderError
	var name *net.DNSError
	var network *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, new(x509.HostnameError)):
		return "its certificate is for another host"
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "its certificate is signed by nobody whom this machine trusts"
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return "its certificate is not valid"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "it does not speak TLS"
	case errors.As(err, &name):
		return name.Error()
	case errors.As(err, &network) && isOwn(network.Err):
		return network.Error()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the connection broke off"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "it did not answer in time"
	}
	return "it answers in a way that cannot be understood"
}

// isOwn reports whether an error of the network is in words of this machine. A proxy's are
// those of its answer.
func isOwn(err error) bool {
	return errors.As(err, new(syscall.Errno)) || errors.As(err, new(tls.AlertError)) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed)
}
