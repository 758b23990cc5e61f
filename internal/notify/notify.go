package notify

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	stdsync "sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"gleapsync/internal/config"
	"gleapsync/internal/exchange"
	"gleapsync/internal/runs"
	"gleapsync/internal/secret"
)

const (
	// bound is how long a message may take, retries included: a process that was told to
	// end waits for it.
	bound = 20 * time.Second
	// pings is how long a sync may end later for the sake of both its pings. The first one
	// has less, so that the last one has its turn also after a sync of no time.
	pings     = 5 * time.Second
	startPing = 2 * time.Second
	// attempt is how long one try may take.
	attempt = 6 * time.Second
	// retries come after waits of 1, 2 and 4 s, or as the receiver asks.
	retries             = 3
	leastWait, mostWait = time.Second, 4 * time.Second
)

// Notifier tells a webhook and a dead-man's switch about one sync.
type Notifier struct {
	o      config.Notify
	named  string
	client *retryablehttp.Client
	log    *slog.Logger
	start  stdsync.WaitGroup // the ping that the sync begins, as long as it is on its way
}

// New returns a notifier. named is the configuration of one of several projects, which commands have
// to name to be pasted; else "".
func New(o config.Notify, named string, log *slog.Logger) *Notifier {
	c := retryablehttp.NewClient()
	c.Logger = nil // it would write the addresses
	c.RetryMax, c.RetryWaitMin, c.RetryWaitMax = retries, leastWait, mostWait
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler
	c.HTTPClient = &http.Client{
		// Connections are not kept: the next notification is hours away, and one that is
		// closed as idle can take an answer along that was on its way.
		Transport: exchange.Answers(&http.Transport{
			Proxy: http.ProxyFromEnvironment, OnProxyConnectResponse: exchange.ProxyAnswer, DisableKeepAlives: true,
		}),
		Timeout:       attempt,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Notifier{o: o, named: named, client: c, log: log}
}

// Started tells the switch that a sync begins. It does not wait for an answer: the sync
// goes on, and [Notifier.Finished] or [Notifier.Wait] waits.
func (n *Notifier) Started(ctx context.Context) {
	if n.o.Ping != "" {
		n.start.Go(func() { n.send(ctx, startPing, "ping_url", with(n.o.Ping, "start"), nil) })
	}
}

// Wait waits for what [Notifier.Started] began, 2 s after it at most.
func (n *Notifier) Wait() { n.start.Wait() }

// Finished tells the switch how a sync ended, and the webhook what is news after the one
// before; before is nil if there was none. It does so even if ctx was cancelled. It takes
// 5 s at most for the switch, and 20 s for the webhook beside that.
//
// Of a run that could not begin, after has Project, Outcome and Error. A run that found
// another one at work is nothing to tell.
func (n *Notifier) Finished(ctx context.Context, before *runs.Report, after runs.Report) {
	ctx = context.WithoutCancel(ctx)
	var both stdsync.WaitGroup
	defer both.Wait()
	if n.o.Ping != "" {
		deadline := time.Now().Add(pings)
		both.Go(func() {
			n.Wait() // whatever comes last decides what the switch believes
			n.ping(ctx, time.Until(deadline), verdict(&after))
		})
	}
	if n.o.Webhook != "" {
		if m := newMessage(before, &after, n.o); m != nil {
			m.name(n.named)
			both.Go(func() { n.send(ctx, bound, "webhook", n.o.Webhook, m.body(n.o.Slack)) })
		}
	}
}

func (n *Notifier) ping(ctx context.Context, within time.Duration, verdict runs.Outcome) {
	switch verdict {
	case runs.Complete:
		n.send(ctx, within, "ping_url", n.o.Ping, nil)
	case runs.Held, runs.Failed:
		n.send(ctx, within, "ping_url", with(n.o.Ping, "fail"), nil)
	}
}

// send makes a request, with a body a POST, and logs if it does not succeed in time; key is
// that of the address in the configuration.
func (n *Notifier) send(ctx context.Context, within time.Duration, key string, to secret.Text, body []byte) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if failure := n.try(ctx, to, body); failure != "" {
		n.log.Warn("a notification was not delivered", "to", key, "reason", failure)
	}
}

// try makes a request, with retries, and returns why it did not succeed, "" if it did.
func (n *Notifier) try(ctx context.Context, to secret.Text, body []byte) (failure string) {
	method, content := http.MethodGet, any(nil)
	if body != nil {
		method, content = http.MethodPost, body
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, method, string(to), content)
	if err != nil {
		return exchange.Why(err)
	}
	request.Header.Set("User-Agent", "gleapsync")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := n.client.Do(request)
	if answer != nil {
		answer.Body.Close() // what it says does not matter
	}
	switch {
	case err != nil:
		return exchange.Why(err)
	case answer.StatusCode/100 != 2:
		return fmt.Sprintf("status %d", answer.StatusCode)
	}
	return ""
}

// with returns an address with one more element in its path. What is behind the path, such
// as ?create=1, stays behind it.
func with(address secret.Text, element string) secret.Text {
	u, err := url.Parse(string(address))
	if err != nil {
		return address // the configuration would not have taken it
	}
	return secret.Text(u.JoinPath(element).String())
}
