package capture

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Input is a capture that was recognised, and not yet read.
type Input struct {
	Name        string   // as given, or the path found in a folder; "-" for standard input; hostile
	Format      string   // "pcap", "pcapng", "flows", "zeek" or "eve"
	Compression string   // "gzip", "zstd", "xz"; empty: none
	Size        int64    // bytes; -1 where it is not known: a pipe, a device
	Notes       []string // what a person should know of it: given twice, what else lies in its folder; hostile

	// Shift is added to every time the input states, because the clock it was captured by was off by that much.
	Shift time.Duration

	sample int         // hashes to keep of its packets
	info   fs.FileInfo // nil for standard input
	stream *openStream // already open, because it cannot be opened twice; nil: open the file by its name
}

// InputError is an input that cannot be read at all.
type InputError struct {
	Path   string // as Input.Name
	Reason string
	Hint   string // what to do about it; may be empty
	Err    error  // the cause; may be nil
}

// Error implements error.
func (e *InputError) Error() string {
	name := e.Path
	if name == stdinName {
		name = "standard input"
	}
	if e.Hint == "" {
		return name + ": " + e.Reason
	}
	return name + ": " + e.Reason + ": " + e.Hint
}

// Unwrap returns the cause.
func (e *InputError) Unwrap() error { return e.Err }

// stdinName names standard input.
const stdinName = "-"

// Open recognises every input before any is read: files, "-" for stdin, and folders, which are searched recursively for
// files that are captures by their content. The inputs come back sorted by name, "-" first, each file once, so that the
// order of the arguments never matters. The error joins one *InputError for each input that is no capture.
//
// No file stays open, so that ten thousand are as good as one; only what cannot be opened twice (stdin, a named pipe) does.
func Open(paths []string, stdin io.Reader) ([]*Input, error) {
	var o opener
	for _, path := range paths {
		o.argument(path, stdin)
	}
	if len(o.errs) > 0 {
		for _, in := range o.inputs {
			in.close()
		}
		slices.SortStableFunc(o.errs, func(a, b *InputError) int { return strings.Compare(a.Path, b.Path) })
		errs := make([]error, len(o.errs))
		for i, err := range o.errs {
			errs[i] = err
		}
		return nil, errors.Join(errs...)
	}
	slices.SortStableFunc(o.inputs, func(a, b *Input) int { return cmp.Compare(a.sortKey(), b.sortKey()) })
	inputs := once(o.inputs)
	for _, in := range inputs {
		in.sample = sampleOf(len(inputs))
	}
	return inputs, nil
}

// sortKey puts standard input first.
func (in *Input) sortKey() string {
	if in.Name == stdinName {
		return ""
	}
	return in.Name
}

// close gives up an input that will not be read.
func (in *Input) close() {
	if in.stream != nil {
		in.stream.Close()
		in.stream = nil
	}
}

// once drops the inputs that are a file which is there already, by the same name or another.
func once(inputs []*Input) []*Input {
	type about struct{ size, modified int64 } // equal where the file is the same
	known := make(map[about][]*Input)
	return slices.DeleteFunc(inputs, func(in *Input) bool {
		if in.info == nil {
			return false
		}
		k := about{in.info.Size(), in.info.ModTime().UnixNano()}
		for _, first := range known[k] {
			if os.SameFile(first.info, in.info) {
				first.Notes = append(first.Notes, givenTwice(first.Name, in.Name))
				first.Notes = append(first.Notes, in.Notes...)
				in.close()
				return true
			}
		}
		known[k] = append(known[k], in)
		return false
	})
}

func givenTwice(first, again string) string {
	if first == again {
		return "given twice, read once"
	}
	return "given twice, read once: also as " + again
}

// opener collects what Open finds.
type opener struct {
	inputs []*Input
	errs   []*InputError
	stdin  bool // taken
}

func (o *opener) fail(path, reason, hint string) {
	o.errs = append(o.errs, &InputError{Path: path, Reason: reason, Hint: hint})
}

// failSystem reports an error of the operating system in its words, without the path a second time.
func (o *opener) failSystem(path string, err error) {
	reason := err.Error()
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		reason = e.Err.Error()
	}
	o.errs = append(o.errs, &InputError{Path: path, Reason: reason, Err: err})
}

// argument takes one argument of the command line.
func (o *opener) argument(path string, stdin io.Reader) {
	if path == stdinName {
		o.standardInput(stdin)
		return
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		o.failSystem(path, err)
	case info.IsDir():
		o.folder(path)
	case info.Mode().IsRegular():
		o.file(path, info)
	default:
		o.pipe(path, info)
	}
}

// file takes a regular file.
func (o *opener) file(path string, info fs.FileInfo) {
	k, err := recogniseFile(path)
	switch {
	case err != nil:
		o.failSystem(path, err)
	case k.format == "":
		o.fail(path, k.reason, k.hint)
	default:
		o.take(path, k, info)
	}
}

// take takes a regular file that was recognised.
func (o *opener) take(path string, k kind, info fs.FileInfo) {
	o.inputs = append(o.inputs, &Input{Name: path, Format: k.format, Compression: k.compression, Size: info.Size(), info: info})
}

// recogniseFile looks at the beginning of a regular file, through its compression.
func recogniseFile(path string) (kind, error) {
	f, err := os.Open(path)
	if err != nil {
		return kind{}, err
	}
	defer f.Close()
	head := make([]byte, headSizeMax)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return kind{}, err
	}
	k := recognise(head[:n], n < len(head))
	if k.compression == "" {
		return k, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return kind{}, err
	}
	head, err = expandHead(k.compression, f, headSizeMax)
	return k.holding(recognise(head, len(head) < headSizeMax)), err
}

// standardInput takes stdin, which can be read once.
func (o *opener) standardInput(stdin io.Reader) {
	if o.stdin {
		o.fail(stdinName, "named twice", "it can be read once")
		return
	}
	o.stdin = true
	if stdin == nil {
		o.fail(stdinName, "closed", "")
		return
	}
	s := &openStream{shared: true}
	in := &Input{Name: stdinName, Size: -1, stream: s}
	s.file, _ = stdin.(*os.File)
	if rest := restOf(stdin); rest != nil {
		stdin, s.at, in.Size = rest, rest, rest.Size()
	}
	s.Reader = bufio.NewReaderSize(stdin, windowSizeMin)
	o.stream(in, "")
}

// restOf takes what is left of a regular file that somebody else has opened, from where it would be read to the end it has now; nil
// where r is none.
func restOf(r io.Reader) *io.SectionReader {
	f, ok := r.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	from, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil
	}
	end, err := f.Seek(0, io.SeekEnd) // where reading would leave it to whoever has it too
	if err != nil || end <= from {
		return nil
	}
	return io.NewSectionReader(cached(f), from, end-from)
}

// pipe takes a named pipe or a device, which is opened once and read from the front.
func (o *opener) pipe(path string, info fs.FileInfo) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // or else opening waits for a writer, without end
	if err != nil {
		o.failSystem(path, err)
		return
	}
	hint := ""
	var r io.Reader = f
	s := &openStream{file: f, closed: make(chan struct{})}
	if info.Mode()&fs.ModeNamedPipe != 0 {
		widenPipe(f)
		r = newAhead(&pipeReader{file: f, until: time.Now().Add(pipePatience)}, s.closed)
		hint = "nobody writes into this pipe"
	}
	s.Reader = bufio.NewReaderSize(r, windowSizeMin)
	o.stream(&Input{Name: path, Size: -1, info: info, stream: s}, hint)
}

// stream takes an input that is open already. hint is for one that has nothing in it.
func (o *opener) stream(in *Input, hint string) {
	k, err := in.stream.recognise()
	if err == nil && k.compression != "" {
		in.stream = in.stream.expanded(k.compression)
		var inner kind
		inner, err = in.stream.recognise()
		k = k.holding(inner)
	}
	if err == nil && k.format != "" {
		in.Format, in.Compression = k.format, k.compression
		o.inputs = append(o.inputs, in)
		return
	}
	in.close()
	if errors.Is(err, os.ErrDeadlineExceeded) { // see [Patient]
		o.fail(in.Name, "interrupted before it said what it is", "")
		return
	}
	if err != nil {
		o.failSystem(in.Name, err)
		return
	}
	o.fail(in.Name, k.reason, cmp.Or(k.hint, hint))
}

// openStream is an input that stays open between Open and Read.
type openStream struct {
	*bufio.Reader
	expander *expander     // between the file and the Reader; nil where the input is not compressed
	file     *os.File      // nil where stdin is not a file
	shared   bool          // belongs to the caller: not ours to close
	closed   chan struct{} // by Close, for who reads ahead; nil where nobody does
	at       io.ReaderAt   // from where the input begins; nil where it cannot be read from anywhere, or is compressed
}

// expanded returns the stream decompressed.
func (s *openStream) expanded(compression string) *openStream {
	e := newExpander(compression, s.Reader)
	return &openStream{Reader: bufio.NewReaderSize(e, windowSizeMin), expander: e, file: s.file, shared: s.shared, closed: s.closed}
}

// recognise looks at the beginning of the stream: no further than it must, since the rest may be long in coming.
func (s *openStream) recognise() (kind, error) {
	for _, size := range []int{headSize, headSizeMax} {
		head, err := s.Peek(size)
		if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, new(*Damage)) {
			return kind{}, err
		}
		if k := recognise(head, err != nil); k.known || err != nil || size == headSizeMax {
			return k, nil
		}
	}
	return kind{}, nil
}

// Close closes the stream if it is ours. A read of the caller's that is under way is not waited for: it ends when its
// input does.
func (s *openStream) Close() error {
	if s.shared {
		if s.expander != nil {
			s.expander.abandon()
		}
		return nil
	}
	if s.closed != nil {
		close(s.closed)
	}
	err := s.file.Close() // before the expander: it wakes a read that waits for a pipe
	if s.expander != nil {
		s.expander.Close()
	}
	return err
}

// pipePatience is how long a named pipe may have no writer: long enough for a command started beside this one.
const pipePatience = time.Second

// pipeReader reads a named pipe opened without waiting for a writer: until the first byte, its end means "no writer yet".
type pipeReader struct {
	file  *os.File
	until time.Time
	begun bool
}

// Read implements io.Reader.
func (p *pipeReader) Read(b []byte) (int, error) {
	for {
		n, err := p.file.Read(b)
		p.begun = p.begun || n > 0
		if !errors.Is(err, io.EOF) || p.begun || time.Now().After(p.until) {
			return n, err
		}
		time.Sleep(pipePatience / 100)
	}
}
