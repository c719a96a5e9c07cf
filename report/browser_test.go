package report

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// browser is a session of headless Chromium, driven by chromedriver over plain HTTP (W3C WebDriver).
type browser struct {
	t       *testing.T
	session string
}

// openBrowser starts Chromium; the test is skipped where it is not installed (Debian: chromium, chromium-driver).
func openBrowser(t *testing.T, args ...string) *browser {
	t.Helper()
	driver, err := exec.LookPath("chromedriver")
	if err != nil {
		t.Skip("chromedriver is not installed")
	}
	profile := newProfile(t)
	cmd := exec.Command(driver, "--port=0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	b := &browser{t: t}
	t.Cleanup(func() {
		if strings.Contains(b.session, "/session/") {
			b.ask("DELETE", "", nil, nil)
		}
		cmd.Process.Kill()
		cmd.Wait()
	})
	b.session = "http://127.0.0.1:" + portOf(t, out)
	options := map[string]any{"args": append([]string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
		"--disable-component-update", "--no-first-run", "--window-size=1200,900", "--user-data-dir=" + profile,
	}, args...)}
	var opened struct {
		SessionID string `json:"sessionId"`
	}
	b.ask("POST", "/session", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"goog:chromeOptions": options, "goog:loggingPrefs": map[string]string{"browser": "ALL", "performance": "ALL"},
	}}}, &opened)
	b.session += "/session/" + opened.SessionID
	return b
}

// newProfile makes a folder for the browser. Its processes outlive the session by a moment and go on writing, which is why
// it is no t.TempDir: that one fails the test when it cannot be removed at once.
func newProfile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "flowvet-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 50 {
			if err = os.RemoveAll(dir); err == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Log(err)
	})
	return dir
}

// portOf reads where chromedriver listens.
func portOf(t *testing.T, out io.Reader) string {
	t.Helper()
	said := bufio.NewScanner(out)
	for said.Scan() {
		if m := regexp.MustCompile(`successfully on port (\d+)`).FindStringSubmatch(said.Text()); m != nil {
			go io.Copy(io.Discard, out)
			return m[1]
		}
	}
	t.Fatal("chromedriver says no port")
	return ""
}

// ask sends a WebDriver command and decodes its value.
func (b *browser) ask(method, path string, body, value any) {
	b.t.Helper()
	var send io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		send = bytes.NewReader(data)
	}
	request, err := http.NewRequest(method, b.session+path, send)
	if err != nil {
		b.t.Fatal(err)
	}
	client := http.Client{Timeout: time.Minute}
	answer, err := client.Do(request)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		b.t.Fatalf("%s %s: %s", method, path, data)
	}
	if value != nil {
		if err := json.Unmarshal(data, &struct{ Value any }{value}); err != nil {
			b.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
}

// open shows a page.
func (b *browser) open(page string) {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "report.html")
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.ask("POST", "/url", map[string]string{"url": "file://" + path}, nil)
}

// find returns the elements that a selector names.
func (b *browser) find(selector string) []string {
	b.t.Helper()
	var found []map[string]string
	b.ask("POST", "/elements", map[string]string{"using": "css selector", "value": selector}, &found)
	ids := make([]string, len(found))
	for i, e := range found {
		for _, id := range e {
			ids[i] = id
		}
	}
	return ids
}

// one returns the one element that a selector names.
func (b *browser) one(selector string) string {
	b.t.Helper()
	ids := b.find(selector)
	if len(ids) != 1 {
		b.t.Fatalf("%d elements %s, want one", len(ids), selector)
	}
	return ids[0]
}

func (b *browser) click(selector string) {
	b.t.Helper()
	b.ask("POST", "/element/"+b.one(selector)+"/click", map[string]any{}, nil)
}

func (b *browser) write(selector, text string) {
	b.t.Helper()
	b.ask("POST", "/element/"+b.one(selector)+"/value", map[string]any{"text": text}, nil)
}

// eval runs a script in the page's world, from outside its policy.
func (b *browser) eval(script string, value any) {
	b.t.Helper()
	b.ask("POST", "/execute/sync", map[string]any{"script": script, "args": []any{}}, value)
}

// requests returns the addresses that the pages asked for.
func (b *browser) requests() (urls []string) {
	b.t.Helper()
	var events []struct{ Message string }
	b.ask("POST", "/se/log", map[string]string{"type": "performance"}, &events)
	for _, e := range events {
		var event struct {
			Message struct {
				Method string
				Params struct {
					DocumentURL string
					Request     struct{ URL string }
				}
			}
		}
		if err := json.Unmarshal([]byte(e.Message), &event); err != nil {
			b.t.Fatal(err)
		}
		ours := strings.HasPrefix(event.Message.Params.DocumentURL, "file://") // not the browser's own start page
		if ours && event.Message.Method == "Network.requestWillBeSent" {
			urls = append(urls, event.Message.Params.Request.URL)
		}
	}
	return urls
}

// complaints returns what the console shows.
func (b *browser) complaints() (lines []string) {
	b.t.Helper()
	var entries []struct{ Level, Message string }
	b.ask("POST", "/se/log", map[string]string{"type": "browser"}, &entries)
	for _, e := range entries {
		lines = append(lines, e.Level+" "+e.Message)
	}
	return lines
}

// rows returns the text of one column of the conversations that are shown, top to bottom.
func (b *browser) rows(column int) (cells []string) {
	b.t.Helper()
	b.eval(fmt.Sprintf(`return Array.from(document.querySelectorAll("#conversations tbody tr")).filter(r => r.offsetParent !== null).map(r => r.cells[%d].textContent)`, column), &cells)
	return cells
}

func TestThePageInABrowser(t *testing.T) {
	b := openBrowser(t)
	b.open(render(t, HTML, newLab().result(), Options{Version: "1.2.3"}))

	all := len(b.rows(0))
	if all < 15 {
		t.Fatalf("%d conversations are shown", all)
	}
	b.click("#conversations thead th:nth-child(4) button")
	ports := b.rows(3)
	if ports[0] != "23/tcp" || ports[len(ports)-1] != "40123/tcp" {
		t.Errorf("sorted by port: %v", ports)
	}
	b.click("#conversations thead th:nth-child(4) button")
	if ports = b.rows(3); ports[0] != "40123/tcp" {
		t.Errorf("sorted by port, downwards: %v", ports)
	}
	if n := len(b.find(`#conversations th[aria-sort="descending"]`)); n != 1 {
		t.Errorf("%d columns say that they are sorted", n)
	}

	b.write("#controls input", "ESX01 53/")
	if got := b.rows(3); len(got) != 4 {
		t.Errorf("filtered by two words: %v", got)
	}
	b.click(`#controls option[value=""] ~ option:nth-child(4)`)
	for _, verdict := range b.rows(0) {
		if !strings.HasPrefix(verdict, "documented") {
			t.Errorf("filtered by documented: %s", verdict)
		}
	}
	var shown string
	b.eval(`return document.querySelector("#controls output").value`, &shown)
	if want := fmt.Sprintf("%d of %d shown", len(b.rows(0)), all); shown != want {
		t.Errorf("the page says %q, want %q", shown, want)
	}

	var printed string
	b.ask("POST", "/print", map[string]any{"page": map[string]float64{"width": 21, "height": 29.7}}, &printed)
	if pdf, err := base64.StdEncoding.DecodeString(printed); err != nil || !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		t.Errorf("printed: %v, %d bytes", err, len(pdf))
	}
	b.quiet()
}

// quiet wants no word on the console and no request but for the pages themselves.
func (b *browser) quiet() {
	b.t.Helper()
	for _, line := range b.complaints() {
		b.t.Errorf("on the console: %s", line)
	}
	urls := b.requests()
	if len(urls) == 0 {
		b.t.Error("no request was logged, not even that for the page")
	}
	for _, url := range urls {
		if !strings.HasPrefix(url, "file://") || !strings.HasSuffix(url, "/report.html") {
			b.t.Errorf("the page asks for %s", url)
		}
	}
}

func TestHostileStringsAreInertInABrowser(t *testing.T) {
	b := openBrowser(t)
	for _, s := range []string{
		"<script>document.title='owned'</script>", `"><img src=x onerror="document.title='owned'">`, "</style><script>document.title='owned'</script>",
		"</script><svg onload=\"document.title='owned'\">", "javascript:document.title='owned'", "'-document.title='owned'-'", "{{.}}", "</title><script>document.title='owned'</script>",
	} {
		b.open(render(t, HTML, poison(s), Options{Version: s, Files: []string{s}, Verbose: true}))
		var title string
		b.eval("return document.title", &title)
		if title != "flowvet report: Partial: the captures are not whole" {
			t.Errorf("%q: the title is %q", s, title)
		}
		var foreign int
		b.eval(`return document.querySelectorAll("img, iframe, object, embed, link, base, form, svg script, body script ~ *").length + document.scripts.length - 1`, &foreign)
		if foreign != 0 {
			t.Errorf("%q: %d elements of its own", s, foreign)
		}
	}
	b.quiet()
}

// Everything but sorting and filtering is there without the script.
func TestThePageWithoutScript(t *testing.T) {
	b := openBrowser(t, "--blink-settings=scriptEnabled=false")
	b.open(render(t, HTML, newLab().result(), Options{}))
	if n := len(b.find("#conversations tbody tr")); n < 15 {
		t.Errorf("%d conversations", n)
	}
	if n := len(b.find("thead button")); n != 0 {
		t.Errorf("%d buttons that do nothing", n)
	}
	var display string
	b.ask("GET", "/element/"+b.one("#controls")+"/css/display", nil, &display)
	if display != "none" {
		t.Errorf("the controls are there (display: %s), and would do nothing", display)
	}
	if n := len(b.find("figure svg title")); n < 3 {
		t.Errorf("%d titles of pictures", n)
	}
	b.quiet()
}

// The page that cmd/flowvet keeps of a vMotion that fails: the line that decided it comes first, the picture has the phases and
// three marks, and each mark has its words.
func TestTheScenarioPageInABrowser(t *testing.T) {
	kept, err := os.ReadFile(filepath.Join("..", "testdata", "pcaps", "scenarios", "vmotion", "reports", "heartbeat-gap.html"))
	if err != nil {
		t.Fatal(err)
	}
	b := openBrowser(t)
	b.open(string(kept))
	var said []string
	b.eval(`return [document.querySelector("table.lines tbody tr td:nth-child(2)").innerText, document.querySelector("#scenarios ~ .verdict").innerText.split("\n")[0]]`, &said)
	if strings.Join(said, " ") != "violated FAIL" {
		t.Errorf("the first line and the verdict are %q", said)
	}
	for selector, n := range map[string]int{"svg .phase-operation": 1, "svg .phase-lead": 2, "svg line.mark": 3, "svg rect.gap": 1} {
		if got := len(b.find(selector)); got != n {
			t.Errorf("%d elements %s, want %d", got, selector, n)
		}
	}
	var marks int
	b.eval(`return document.querySelectorAll('[aria-label="Marks"] tbody tr').length`, &marks)
	if marks != 3 {
		t.Errorf("%d marks are explained, want 3", marks)
	}
	b.quiet()
}
