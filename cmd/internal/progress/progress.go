// Package progress shows how far a program has come: a line for each phase, and a count within a
// phase that takes long.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// Display prints a line for each phase. In a terminal the last line is animated and counts in
// place. Elsewhere the count is a line every two seconds. Its methods may be called from several
// goroutines.
type Display struct {
	out   io.Writer
	began time.Time
	width int // of the terminal; 0: not a terminal
	done  chan struct{}
	group sync.WaitGroup

	mu       sync.Mutex
	current  string
	counting bool
	stopped  bool
}

// The intervals between two frames in a terminal, and between two lines of a count elsewhere.
const (
	frameInterval = 120 * time.Millisecond
	lineInterval  = 2 * time.Second
)

// New returns a display that shows the time since now. Stop ends it.
func New(out io.Writer) *Display { return newDisplay(out, lineInterval) }

func newDisplay(out io.Writer, interval time.Duration) *Display {
	d := &Display{out: out, began: time.Now(), done: make(chan struct{})}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		d.width = 80
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 20 {
			d.width = width
		}
		interval = frameInterval
	}
	d.group.Go(func() { d.animate(interval) })
	return d
}

// Phase prints the line of a new phase.
func (d *Display) Phase(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
	d.line(text)
	d.current, d.counting = text, false
	d.draw("")
}

// Count says how far the phase is. It may be called often.
func (d *Display) Count(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.current, d.counting = text, true
}

// Stop ends the display and leaves the cursor at the start of an empty line. Phases are still
// printed afterwards.
func (d *Display) Stop() {
	d.mu.Lock()
	stopped := d.stopped
	d.stopped = true
	d.mu.Unlock()
	if stopped {
		return
	}
	close(d.done)
	d.group.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
	d.width = 0
}

const spinner = `|/-\`

func (d *Display) animate(interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for frame := 0; ; frame++ {
		select {
		case <-d.done:
			return
		case <-ticker.C:
			d.mu.Lock()
			if d.width > 0 {
				d.clear()
				d.draw(spinner[frame%len(spinner) : frame%len(spinner)+1])
			} else if d.counting {
				d.line(d.current)
			}
			d.mu.Unlock()
		}
	}
}

func (d *Display) line(text string) {
	fmt.Fprintf(d.out, "%6.1fs  %s\n", time.Since(d.began).Seconds(), text)
}

func (d *Display) clear() {
	if d.width > 0 {
		fmt.Fprint(d.out, "\r\x1b[K")
	}
}

// draw shows what goes on, cut to the terminal's width.
func (d *Display) draw(frame string) {
	if d.width == 0 {
		return
	}
	line := fmt.Sprintf("%6.1fs %s %s", time.Since(d.began).Seconds(), frame, d.current)
	if len(line) >= d.width {
		line = strings.ToValidUTF8(line[:d.width-1], "")
	}
	fmt.Fprint(d.out, line)
}
