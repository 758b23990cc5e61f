package serve

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image/png"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	stdsync "sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"gleapsync/engage"
	"gleapsync/internal/inspect"
	"gleapsync/internal/page"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
)

var pictures = flag.String("pictures", "", "write pictures of the page into that folder")

// browser is a tab of a headless Chromium.
type browser struct {
	t    *testing.T
	ctx  context.Context
	mu   stdsync.Mutex
	bad  []string // what the console said
	asks []string // the addresses of all requests
}

// open starts a Chromium. A machine without one skips the test.
func open(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("SKIPPED: there is no chromium on this machine, so nothing looked at the page: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP gleapsync 127.0.0.1"))
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	b.must(err)
	return b
}

func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.asks = append(b.asks, e.Request.URL)
	case *runtime.EventConsoleAPICalled:
		b.bad = append(b.bad, fmt.Sprint("console: ", e.Type))
	case *runtime.EventExceptionThrown:
		b.bad = append(b.bad, "exception: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		b.bad = append(b.bad, "log: "+e.Entry.Text)
	}
}

// quiet checks that the console is empty and that only one place was asked.
func (b *browser) quiet(base string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.bad) > 0 {
		b.t.Errorf("the console says: %q", b.bad)
	}
	for _, address := range b.asks {
		if !strings.HasPrefix(address, base) && !strings.HasPrefix(address, "data:image/svg+xml,") {
			b.t.Errorf("the page asked for %s", address)
		}
	}
	if len(b.asks) == 0 {
		b.t.Error("no request was seen")
	}
	b.bad, b.asks = nil, nil
}

func (b *browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) visit(address string) {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.Navigate(address)))
}

func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	b.must(err)
	return v
}

// text returns what a person sees in an element.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? '(nothing)'", selector))
}

func (b *browser) has(selector string, texts ...string) {
	b.t.Helper()
	got := b.text(selector)
	for _, want := range texts {
		if !strings.Contains(got, want) {
			b.t.Errorf("%s does not show %q:\n%s", selector, want, got)
		}
	}
}

// size sets the window's size, as a phone's if mobile.
func (b *browser) size(width, height int64, options ...chromedp.EmulateViewportOption) {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.EmulateViewport(width, height, options...)))
}

func (b *browser) scheme(name string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
	b.must(err)
}

// picture writes what is in the window, if that was asked for.
func (b *browser) picture(name string) {
	b.t.Helper()
	if *pictures == "" {
		return
	}
	shot, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	b.must(err)
	if _, err := png.DecodeConfig(bytes.NewReader(shot)); err != nil {
		b.t.Fatal(err)
	}
	b.must(os.WriteFile(filepath.Join(*pictures, name), shot, 0o644))
}

// fits checks that nothing sticks out at the side.
func (b *browser) fits(width int) {
	b.t.Helper()
	if got := eval[int](b, "document.documentElement.scrollWidth"); got > width {
		b.t.Errorf("the page is %d px wide in a window of %d", got, width)
	}
}

// contrast checks that text can be told from its ground, by the numbers of WCAG 2.2
// (1.4.3): 4.5 to 1 at least.
func (b *browser) contrast() {
	b.t.Helper()
	for _, problem := range eval[[]string](b, contrastScript) {
		b.t.Error(problem)
	}
}

const contrastScript = `(() => {
  const parse = c => (c.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => { const f = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const found = new Set();
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) found.add(e.tagName + '.' + e.className + ' has a contrast of ' + ratio.toFixed(2));
  }
  return [...found];
})()`

// demo gives a world two days of runs every two hours, up to now: audiences that grow and
// shrink, one that collapsed and is held, a parked contact, and a first sync.
func demo(t *testing.T, w *world) {
	names := []string{"Order completed last 30days", "First Time Shopper", "VIP Customers", "Newsletter Readers", "Churn risk", "Beta Testers"}
	var more strings.Builder
	for i, name := range names[1:] {
		fmt.Fprintf(&more, "[[audience]]\nname = %q\nsource = \"a%d.csv\"\n", name, i+1)
	}
	more.WriteString("[[trait]]\nname = \"Total revenue 180 days\"\nsource = \"revenue.csv\"\n")
	w.configure("0 */2 * * *", more.String())
	text, err := os.ReadFile(filepath.Join(w.dir, "gleapsync.toml"))
	if err != nil {
		t.Fatal(err)
	}
	w.put("gleapsync.toml", strings.NewReplacer(`"acme"`, `"acme-production"`, `"VIP"`, `"`+names[0]+`"`, "vip.csv", "a0.csv", "concurrency = 1", "concurrency = 8").Replace(string(text)))
	end := time.Now()
	random := rand.New(rand.NewPCG(5, 5))
	share := 1 // of the contacts in the pictures
	if *pictures == "" {
		share = rounds.Of(5, 1)
	}
	synctest.Test(t, func(t *testing.T) {
		const runs = 24
		time.Sleep(time.Until(end.Truncate(2 * time.Hour).Add(-(runs - 1) * 2 * time.Hour)))
		w.server.reload(true)
		w.gleap.set(func() { w.gleap.refuse, w.gleap.latency = "u00007", 480*time.Millisecond })
		sizes := []float64{5200, 1400, 620, 4100, 880, 150}
		for run := range runs {
			for i := range sizes {
				sizes[i] *= 1 + (random.Float64()-.45)/12
				n := int(sizes[i]) / share
				if i == 2 && run > runs-4 {
					n = 90 / share
				}
				var ids strings.Builder
				ids.WriteString("user_id\n")
				for id := range n {
					fmt.Fprintf(&ids, "u%05d\n", id+run*(3+i))
				}
				w.put(fmt.Sprintf("a%d.csv", i), ids.String())
			}
			var revenue strings.Builder
			revenue.WriteString("user_id,value\n")
			for id := range 3000 / share {
				fmt.Fprintf(&revenue, "u%05d,%d\n", id, id%500+run*(id%40/39)) // one in forty buys
			}
			w.put("revenue.csv", revenue.String())
			w.server.run(t.Context())
			if run < runs-1 {
				time.Sleep(time.Until(time.Now().Truncate(2 * time.Hour).Add(2 * time.Hour)))
			}
		}
	})
	w.gleap.set(func() { w.gleap.latency = 0 })
	_, next := w.server.next()
	w.server.live.waits(next)
}

func TestBrowser(t *testing.T) {
	t.Parallel() // it waits
	b := open(t)
	w := newWorld(t, false)
	demo(t, w)
	server := httptest.NewServer(w.handler())
	t.Cleanup(server.Close)

	t.Run("after runs, one export held", func(t *testing.T) {
		b.t = t
		b.size(1200, 1100)
		for _, scheme := range []string{"dark", "light"} {
			b.scheme(scheme)
			b.visit(server.URL)
			b.contrast()
			b.picture("status-" + scheme + ".png")
			ground := eval[string](b, "getComputedStyle(document.body).backgroundColor")
			if dark := ground == "rgb(18, 22, 29)"; dark != (scheme == "dark") {
				t.Errorf("%s: the ground is %s", scheme, ground)
			}
		}
		b.has("h1", "acme-production")
		b.has("#now", "idle", "The next run begins at 2", " UTC, in ")
		b.has("#state", "held", "VIP Customers", "would leave", "gleapsync sync --max-exits vip_customers=", "1 contact")
		b.has("#exports", "Order completed last 30days", "order_completed_last_30days", "total_revenue_180_days")
		b.has("#parked", "422", "Gleap refused the contact")
		if n := eval[int](b, "document.querySelectorAll('#exports svg polyline').length"); n != 7 {
			t.Errorf("%d plots", n)
		}
		if n := eval[int](b, "document.querySelectorAll('#exports svg line.held').length"); n != 3 {
			t.Errorf("%d bars of held runs", n)
		}
		if n := eval[int](b, "document.querySelectorAll('#runs tbody tr').length"); n != 24 {
			t.Errorf("%d runs", n)
		}
		b.quiet(server.URL)
	})

	t.Run("a run's page", func(t *testing.T) {
		b.t = t
		b.visit(server.URL)
		_, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS("#runs a")))
		b.must(err)
		b.has("main", "held", "would leave", "Contacts planned")
		b.contrast()
		b.quiet(server.URL)
	})

	t.Run("look-up", func(t *testing.T) {
		b.t = t
		b.visit(server.URL)
		_, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS("nav a[href='/contact']")))
		b.must(err)
		b.must(chromedp.Do(b.ctx, chromedp.SendKeys(chromedp.ID("id"), "u00200")))
		_, err = chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS("button")))
		b.must(err)
		b.has("#contact", "u00200", "newsletter_readers", "true", "total_revenue_180_days", "200", "Last sync", "held: ")
		b.contrast()
		_, err = chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS("#read button")))
		b.must(err)
		b.has("#contact", "u00200", "newsletter_readers", "true", "Present export")
		b.contrast()
		b.picture("contact.png")
		b.quiet(server.URL)
	})

	t.Run("from another site", func(t *testing.T) {
		b.t = t
		asked := make(chan string, 10)
		pages := w.handler()
		own := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			answer := httptest.NewRecorder()
			pages.ServeHTTP(answer, r)
			asked <- fmt.Sprintf("%s %s %d", r.Method, r.URL.Path, answer.Code)
			maps.Copy(rw.Header(), answer.Header())
			rw.WriteHeader(answer.Code)
			_, _ = answer.Body.WriteTo(rw)
		}))
		defer own.Close()
		var target string
		other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(rw, map[string]string{
				"/image": `<img src="%s/contact?id=u00200">`,
				"/link":  `<a href="%s/contact?id=u00200">look</a>`,
				"/form":  `<form action="%s/contact" method="post"><input name="id" value="u00200"><button>win</button></form>`,
			}[r.URL.Path], target)
		}))
		defer other.Close()
		click := func(selector string) {
			t.Helper()
			_, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS(selector)))
			b.must(err)
		}
		expect := func(want string) {
			t.Helper()
			if got := <-asked; got != want {
				t.Errorf("%s: %s, want %s", target, got, want)
			}
		}
		// To the second address a browser does not say what site a request is from: it is
		// neither of this machine nor over TLS. An image costs a look into the state there.
		for n, address := range []string{own.URL, strings.Replace(own.URL, "127.0.0.1", "gleapsync", 1)} {
			target = address
			if b.visit(other.URL + "/image"); n == 0 {
				expect("GET /contact 403")
			} else {
				expect("GET /contact 200")
			}
			b.visit(other.URL + "/form")
			click("button")
			expect("POST /contact 403")
			b.visit(other.URL + "/link")
			click("a")
			expect("GET /contact 200")
			click("#read button") // on our own page
			expect("POST /contact 200")
			b.has("#contact", "Present export")
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.bad, b.asks = nil, nil // the console tells of what was refused
	})

	t.Run("375 px wide", func(t *testing.T) {
		b.t = t
		b.visit(server.URL)
		run := eval[string](b, "document.querySelector('#runs a').getAttribute('href')")
		b.size(375, 812, chromedp.EmulateMobile)
		for i, path := range []string{"/", "/contact?id=u00200", run} {
			b.visit(server.URL + path)
			b.fits(375)
			b.contrast()
			if i == 0 {
				b.picture("phone.png")
			}
		}
		b.size(1200, 1100)
		b.quiet(server.URL)
	})

	t.Run("during a run", func(t *testing.T) {
		b.t = t
		w.gleap.set(func() { w.gleap.gate = make(chan struct{}) })
		w.put("a5.csv", "user_id\nu00001\nnew1\nnew2\nnew3\n")
		w.server.config.Load().Sync.Guard.MinExits = 10000 // let them go
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			w.server.run(t.Context())
		}()
		w.gleap.gate <- struct{}{} // the first call
		b.visit(server.URL)
		b.has("#now", "running", "sending", "contacts (", "a second")
		if n := eval[int](b, "document.querySelectorAll('#now progress').length"); n != 1 {
			t.Errorf("%d progress bars", n)
		}
		if refresh := eval[string](b, "document.querySelector('meta[http-equiv=refresh]').content"); refresh != "5" {
			t.Errorf("the page is loaded again after %s s", refresh)
		}
		b.contrast()
		close(w.gleap.gate)
		<-ended
		b.visit(server.URL)
		b.has("#state", "complete")
		b.quiet(server.URL)
	})

	t.Run("report", func(t *testing.T) {
		b.t = t
		var html bytes.Buffer
		b.must(w.server.inspect(t.Context(), func(v *inspect.View) error {
			return page.Report(&html, page.Read(v, page.Site{Version: "v1", Zone: time.UTC}, nil))
		}))
		path := filepath.Join(w.dir, "report.html")
		b.must(os.WriteFile(path, html.Bytes(), 0o600))
		b.visit("file://" + path)
		b.has("h1", "acme-production")
		b.has("#exports", "VIP Customers")
		b.must(chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS("#runs summary"))))
		b.has("#runs details[open]", "Contacts planned")
		b.contrast()
		b.size(375, 812, chromedp.EmulateMobile)
		b.visit("file://" + path)
		b.fits(375)
		b.quiet("file://" + path)
	})

	t.Run("114 keys, 100 runs", func(t *testing.T) {
		b.t = t
		d := large()
		var report, front bytes.Buffer
		b.must(page.Report(&report, d))
		d.Now = &page.Now{Next: d.At.Add(54 * time.Minute)}
		b.must(page.Front(&front, d))
		schemes := []string{"dark", "light"}
		if *pictures == "" { // the small pages are looked at in both
			schemes = schemes[:rounds.Of(1, 2)]
		}
		const most = 1_000_000
		if report.Len() > most || front.Len() > most {
			t.Errorf("the report has %d bytes, the page %d", report.Len(), front.Len())
		}
		for name, html := range map[string][]byte{"many-report": report.Bytes(), "many-page": front.Bytes()} {
			path := filepath.Join(w.dir, name+".html")
			b.must(os.WriteFile(path, html, 0o600))
			for _, scheme := range schemes {
				b.scheme(scheme)
				b.size(375, 812, chromedp.EmulateMobile)
				b.visit("file://" + path)
				b.fits(375)
				b.contrast()
				height := eval[int](b, "document.documentElement.scrollHeight")
				t.Logf("%s: %d bytes, %d px high", name, len(html), height)
				if height > 8000 {
					t.Errorf("%s is %d px high", name, height)
				}
				b.picture(name + "-phone-" + scheme + ".png")
				b.size(1200, 1100)
				b.visit("file://" + path)
				b.contrast()
				b.picture(name + "-" + scheme + ".png")
			}
			b.visit("file://" + path + "#export-attribute_007")
			if y := eval[int](b, "document.getElementById('export-attribute_007').getBoundingClientRect().top | 0"); y < 0 || y > 1100 {
				t.Errorf("%s: the row of the address is at %d px", name, y)
			}
			b.quiet("file://" + path)
		}
		b.visit("file://" + filepath.Join(w.dir, "many-report.html"))
		b.must(chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS("#only-held"))))
		if n := eval[int](b, "[...document.querySelectorAll('#exports details')].filter(d => d.offsetHeight > 0).length"); n != 1 {
			t.Errorf("%d groups have something held", n)
		}
		b.quiet("file://")
	})

	t.Run("filter", func(t *testing.T) {
		b.t = t
		b.visit(server.URL)
		b.must(chromedp.Do(b.ctx, chromedp.SendKeys(chromedp.ID("q"), "vip")))
		_, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS("#exports button")))
		b.must(err)
		if n := eval[int](b, "document.querySelectorAll('#exports tbody tr').length"); n != 1 {
			t.Errorf("%d exports are called vip", n)
		}
		b.has("#exports", "VIP Customers")
		if address := eval[string](b, "location.pathname + location.search + location.hash"); address != "/?q=vip&show=#exports" {
			t.Errorf("the address is %s", address)
		}
		b.quiet(server.URL)
	})
}

// large is what a page shows of 114 attributes, 99 of them of one table, and 100 runs.
func large() page.Data {
	at := time.Now()
	d := page.Data{Site: page.Site{Version: "v1", Zone: time.UTC}, At: at, State: inspect.Overview{Project: "acme-production"}}
	d.Parked = []inspect.ParkedGroup{{Status: 422, Reason: "Gleap refused the contact: customData.x must be a number", N: 12, First: at, Last: at}}
	for n := range 100 {
		r := runs.Report{Run: fmt.Sprintf("20260101T%06d.000000Z-abcd", n), Command: "sync", Mode: runs.Incremental, Outcome: runs.Held, Started: at, Finished: at.Add(time.Minute), Contacts: runs.ContactCounts{Sent: 12345, Remaining: 7}, Calls: runs.CallCounts{Identify: 12345}}
		for i := range 114 {
			key := fmt.Sprintf("attribute_%03d", i)
			e := runs.ExportReport{Key: key, Name: "Attribute with a name as people give them " + key, Kind: engage.Audience, Source: "s3://bucket/warehouse/attributes_of_users.csv", Status: runs.StatusApplied, Rows: 1e6, Members: 1e5 + i*n, Entered: 1000 + i, Exited: 100 + i}
			if i >= 99 {
				e.Source = fmt.Sprintf("s3://bucket/engage/audience_%d.csv", i)
			}
			if i == 113 {
				e.Status, e.Reason = runs.StatusHeld, "audience_113.csv: the file ends inside a row: the export is not complete"
			}
			r.Exports = append(r.Exports, e)
		}
		d.Runs = append(d.Runs, r)
	}
	d.Last = &d.Runs[0]
	for _, e := range d.Last.Exports {
		x := page.Export{ExportReport: e, Acknowledged: e.Members, DataOf: at}
		for n := range 40 {
			x.Sizes = append(x.Sizes, page.Size{Members: e.Members + n*n})
		}
		d.Exports = append(d.Exports, x)
	}
	return d
}
