package simulation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/activities"
	"github.com/temporal-asteroid/asteroid/testsuite"
)

// filesSchedule is a schedule of activities that save the files of one execution to one folder.
type filesSchedule struct {
	Conditions conditions  `json:"conditions,omitzero"`
	Writes     []writePlan `json:"writes,omitempty"`
	Savers     []saverPlan `json:"savers"`
}

// writePlan is a file that the agent writes. A later one of the same name replaces it.
type writePlan struct {
	After span `json:"after,omitempty"` // the write before
	Name  int  `json:"name"`
	Size  int  `json:"size"`
}

type saverPlan struct {
	At       span                `json:"at,omitempty"`
	Resets   []activityResetPlan `json:"resets,omitempty"`
	Attempts []attemptPlan       `json:"attempts,omitempty"`
}

func drawFiles(t *rapid.T) (s filesSchedule) {
	l := limits{late: time.Second, requests: 8, attempts: 4, statuses: []int{503, 500, 429}}
	s.Conditions = drawConditions(t, 0)
	s.Writes = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) writePlan {
		return writePlan{drawSpan(t, "after", 20*time.Second), rapid.IntRange(1, 3).Draw(t, "name"), rapid.IntRange(0, 5000).Draw(t, "size")}
	}), 1, 5).Draw(t, "writes")
	s.Savers = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) (p saverPlan) {
		p.At = drawSpan(t, "at", time.Minute)
		if often(t, "activity is reset", 5) {
			p.Resets = []activityResetPlan{{drawSpan(t, "reset after", time.Minute), often(t, "of heartbeats", 2)}}
		}
		p.Attempts = l.drawAttempts(t, "attempts")
		return p
	}), 1, 2).Draw(t, "savers")
	return s
}

// content returns the content that the nth write has.
func (w writePlan) content(n int) []byte {
	return []byte(strings.Repeat(fmt.Sprintf("write %d;", n), w.Size/8+1)[:w.Size])
}

// filesWorld runs a filesSchedule.
type filesWorld struct {
	*world
	schedule filesSchedule
	root     string
	versions map[string][]string // digests by name, the newest last
	written  time.Time           // when the last file was written
}

// saved is how a saver ended.
type saved struct {
	began  time.Time
	result asteroid.SaveFilesResult
	err    error
}

func runFiles(t *testing.T, s filesSchedule) []violation {
	t.Helper()
	return spoilFiles(t, s, func(*filesWorld, []saved) {})
}

// spoilFiles runs a schedule and spoils its end, before the audit.
func spoilFiles(t *testing.T, s filesSchedule, spoil func(*filesWorld, []saved)) []violation {
	t.Helper()
	root, err := os.MkdirTemp("", "asteroid-simulation-") //nolint:usetesting // thousands of folders would stay until the test ends
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(root) }()
	return simulate(t, s.Conditions, activities.Options{OutputRoots: []string{root}}, func(w *world) {
		f := &filesWorld{world: w, schedule: s, root: root, versions: map[string][]string{}}
		f.run(spoil)
	})
}

// run runs the agent, then the savers, and audits what they have saved.
func (f *filesWorld) run(spoil func(*filesWorld, []saved)) {
	f.written = time.Now().Add(2 * time.Second)
	agent := f.api.ServeAgent("clerk", func(testsuite.Run) (steps []testsuite.Step) {
		for n, w := range f.schedule.Writes {
			steps = append(steps, testsuite.Work(time.Duration(w.After)+time.Millisecond),
				testsuite.WriteFile("downloads", fmt.Sprintf("file-%d.txt", w.Name), "text/plain", w.content(n)))
		}
		return append(steps, testsuite.Work(time.Second), testsuite.Complete("success", "", nil))
	})
	for n, w := range f.schedule.Writes {
		f.written = f.written.Add(time.Duration(w.After) + time.Millisecond)
		sum := sha256.Sum256(w.content(n))
		name := fmt.Sprintf("file-%d.txt", w.Name)
		f.versions[name] = append(f.versions[name], hex.EncodeToString(sum[:]))
	}
	run := f.startRun("starter", nil)
	var executed asteroid.ExecuteAgentResult
	in := asteroid.ExecuteAgentInput{AgentID: agent}
	if err := f.execute(run.over, run, asteroid.ExecuteAgentName, in, executeOptions(patience), &plans{}, &executed); err != nil {
		f.violate("the agent does not start", "%v", err)
		return
	}
	results := make([]saved, len(f.schedule.Savers))
	var savers actors
	for i, plan := range f.schedule.Savers {
		savers.add(time.Duration(plan.At)+time.Duration(i)*3137*time.Microsecond, func() { results[i] = f.save(fmt.Sprint("saver-", i+1), executed.ExecutionID, plan) })
	}
	if !savers.wait(6 * time.Hour) {
		f.violate("a saver is stuck", "")
		return
	}
	time.Sleep(15 * time.Minute) // attempts that timed out have ended
	spoil(f, results)
	f.audit(executed.ExecutionID, results)
}

func (f *filesWorld) save(workflowID, executionID string, plan saverPlan) (s saved) {
	run := f.startRun(workflowID, nil)
	for _, reset := range plan.Resets {
		timer := time.AfterFunc(time.Duration(reset.After), func() { f.resetActivities(run, reset.Heartbeats) })
		defer timer.Stop()
	}
	s.began = time.Now()
	in := asteroid.SaveFilesInput{ExecutionID: executionID, Destination: "file://" + f.root}
	options := activityOptions{startToClose: 9 * time.Minute, scheduleToClose: 5 * time.Hour, heartbeat: time.Minute, retry: retry(2*time.Second, time.Minute)}
	s.err = f.execute(run.over, run, asteroid.SaveFilesName, in, options, &plans{attempts: plan.Attempts}, &s.result)
	return s
}

// audit checks the invariants at the end.
func (f *filesWorld) audit(executionID string, results []saved) {
	onDisk := f.onDisk(executionID)
	afterAll := !slices.ContainsFunc(results, func(s saved) bool { return s.began.Before(f.written) })
	for _, s := range results {
		if s.err != nil {
			f.violate("files were not saved", "%v", s.err)
			continue
		}
		names := map[string]string{}
		for _, file := range s.result.Files {
			names[file.Name] = file.SHA256
			path := strings.TrimPrefix(file.URI, "file://"+f.root+"/"+executionID+"/")
			switch {
			case onDisk[path] == "":
				f.violate("a saved file is missing", "%s", file.URI)
			case !slices.Contains(f.versions[file.Name], onDisk[path]), !slices.Contains(f.versions[file.Name], file.SHA256):
				f.violate("a saved file is not whole", "%s", file.URI)
			case len(results) == 1 && onDisk[path] != file.SHA256:
				f.violate("a saved file is not the one of the result", "%s", file.URI)
			}
		}
		for name, versions := range f.versions {
			newest := versions[len(versions)-1]
			if s.began.After(f.written) && (names[name] != newest || afterAll && onDisk["downloads/"+name] != newest) {
				f.violate("a file is lost", "%s", name)
			}
		}
	}
	if n := len(f.api.Requests()); n > 200*len(results) {
		f.violate("too many requests", "%d for %d savers", n, len(results))
	}
}

// onDisk returns the digests of what was saved, by path.
func (f *filesWorld) onDisk(executionID string) map[string]string {
	folder := filepath.Join(f.root, executionID)
	found := map[string]string{}
	err := filepath.WalkDir(f.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		sum := sha256.Sum256(content)
		found[filepath.ToSlash(relative)] = hex.EncodeToString(sum[:])
		if name := strings.TrimSuffix(entry.Name(), ".txt"); !strings.HasPrefix(name, "file-") {
			f.violate("something is left over", "%s", relative)
		}
		return err
	})
	if err != nil {
		f.violate("what was saved cannot be read", "%v", err)
	}
	return found
}

func TestSimulationOfFiles(t *testing.T) {
	t.Parallel()
	check(t, drawFiles, runFiles)
}
