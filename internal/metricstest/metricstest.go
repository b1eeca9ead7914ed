// Package metricstest records the metrics of the library in tests.
package metricstest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/temporal-asteroid/asteroid/internal/metrics"
)

// Recorder is a metrics handler. It keeps the metrics of the library by the labels that the library
// sets, and drops those of the SDK.
type Recorder struct {
	tags map[string]string
	*totals
}

// totals holds the sum of each counter, the last value of each gauge, and the sum of the seconds of
// each timer, by name and labels.
type totals struct {
	mu     sync.Mutex
	values map[string]float64
}

// NewRecorder returns a recorder that has recorded nothing.
func NewRecorder() *Recorder {
	return &Recorder{map[string]string{}, &totals{values: map[string]float64{}}}
}

// WithTags implements [client.MetricsHandler].
func (r *Recorder) WithTags(tags map[string]string) client.MetricsHandler {
	merged := maps.Clone(r.tags)
	maps.Copy(merged, tags)
	return &Recorder{merged, r.totals}
}

// Counter implements [client.MetricsHandler].
func (r *Recorder) Counter(name string) client.MetricsCounter {
	return instrument(func(n float64) { r.add(name, n) })
}

// Gauge implements [client.MetricsHandler].
func (r *Recorder) Gauge(name string) client.MetricsGauge {
	return instrument(func(value float64) { r.set(name, func(float64) float64 { return value }) })
}

// Timer implements [client.MetricsHandler]. Beside the sum it records the number of durations,
// under the name with _count.
func (r *Recorder) Timer(name string) client.MetricsTimer {
	return instrument(func(seconds float64) { r.add(name, seconds); r.add(name+"_count", 1) })
}

type instrument func(float64)

func (f instrument) Inc(n int64)            { f(float64(n)) }
func (f instrument) Update(value float64)   { f(value) }
func (f instrument) Record(d time.Duration) { f(d.Seconds()) }

func (r *Recorder) add(name string, n float64) {
	r.set(name, func(before float64) float64 { return before + n })
}

func (r *Recorder) set(name string, update func(before float64) float64) {
	i := slices.IndexFunc(metrics.All, func(m *metrics.Metric) bool { return m.Name == strings.TrimSuffix(name, "_count") })
	if i < 0 {
		return
	}
	for _, label := range metrics.All[i].Labels {
		name += " " + r.tags[label]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values[name] = update(r.values[name])
}

// Take returns what was recorded since its last call of these metrics: lines like "name label
// label: 1", sorted.
func (r *Recorder) Take(recorded ...*metrics.Metric) (lines []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, value := range r.values {
		name, _, _ := strings.Cut(key, " ")
		if slices.ContainsFunc(recorded, func(m *metrics.Metric) bool { return m.Name == strings.TrimSuffix(name, "_count") }) {
			lines = append(lines, fmt.Sprintf("%s: %g", key, value))
			delete(r.values, key)
		}
	}
	slices.Sort(lines)
	return lines
}
