package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/temporal-asteroid/asteroid"
	"github.com/temporal-asteroid/asteroid/cmd/internal/program"
	"github.com/temporal-asteroid/asteroid/testsuite"
	"github.com/temporal-asteroid/asteroid/workflows"
)

// Scenarios of files.
var (
	brokenSource = &scenario{name: "broken source", share: 3, run: (*scene).stageBroken}
	twoSavers    = &scenario{name: "two savers", share: 3, run: (*scene).saveTwice}
)

// fileSize exceeds what a connection holds, so that half a file is on its way when it breaks.
const fileSize = 300_000

// fileOf returns the content of a file, which differs from that of every other one.
func fileOf(name string) []byte {
	line := []byte(name + "\n")
	return bytes.Repeat(line, fileSize/len(line))
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// stageBroken stages a file whose first reads break half-way, while a worker dies. Another one dies
// while it reads the execution.
func (s *scene) stageBroken(ctx context.Context) []outcome {
	content := fileOf(s.id)
	in := s.input(s.id, 3*time.Second)
	in.Inputs[inputDigest] = digestOf(content)
	in.Files = []asteroid.FileRef{{
		Name: "claims.csv", URI: s.control.sourceURI(s.id, badSource{content: content, breaks: 1 + s.random.IntN(2), stall: 2 * time.Second}),
	}}
	s.startRunAgent(ctx, s.id, taskQueue, in)
	s.killIn(ctx, s.id, asteroid.StageFilesName)
	if e, ok := s.awaitExecution(ctx, s.id, working); ok {
		s.api.InjectAbout(e.ID, readOperation, testsuite.Stall(stallTime), 1)
		s.killIn(ctx, s.id, asteroid.AwaitExecutionName)
	}
	return []outcome{s.closeRunAgent(ctx)}
}

// saveTwice lets two workflows save one execution's files to one directory, while a worker dies.
func (s *scene) saveTwice(ctx context.Context) []outcome {
	whole := map[string]string{} // SHA-256 by name
	in := s.input(s.id, 0)
	in.AgentID = s.api.ServeAgent(s.id, func(run testsuite.Run) []testsuite.Step {
		steps := []testsuite.Step{testsuite.Work(8 * time.Second)}
		for name := range saveNames {
			steps = append(steps, testsuite.WriteFile("downloads", name, "text/plain", fileOf(s.id+name)))
		}
		return append(steps, testsuite.Complete("success", "Wrote them.", map[string]any{inputIntent: run.Inputs[inputIntent]}))
	})
	for name := range saveNames {
		whole[path.Join("downloads", name)] = digestOf(fileOf(s.id + name))
	}
	directory := filepath.Join(s.saved, s.id)
	in.IdempotencyKey = "files-of-" + s.id
	in.Collect = &workflows.Collect{Destination: "file://" + directory}
	ids := []string{s.id, s.id + "-second"}
	s.startRunAgent(ctx, ids[0], taskQueue, in)
	listed := func(e testsuite.Execution) bool { return time.Since(e.CreatedAt) > listDelay+listJitter }
	s.awaitExecution(ctx, s.id, listed)
	s.startRunAgent(ctx, ids[1], taskQueue, in) // adopts it
	e, ok := s.awaitExecution(ctx, s.id, func(e testsuite.Execution) bool { return e.Status == "completed" })
	if ok {
		s.api.Inject("Download", testsuite.Stall(stallTime), 2)
		s.killIn(ctx, ids[s.random.IntN(2)], asteroid.SaveFilesName)
	}
	var outcomes []outcome
	var savings []saving
	for _, id := range ids {
		o := outcome{intent: s.id, workflowID: id}
		s.awaitClose(ctx, &o)
		outcomes = append(outcomes, o)
		savings = append(savings, savingsIn(s.history(ctx, id, ""))...)
	}
	if overlap(savings) {
		s.tally.fire(kindTwoSavers)
	}
	if outcomes[0].state == stateCompleted && outcomes[1].state == stateCompleted {
		s.checkSaved(ctx, filepath.Join(directory, e.ID), whole)
	}
	s.noteClosed(outcomes[0])
	return outcomes
}

// saveNames are the names of the files that an agent writes.
func saveNames(yield func(string) bool) {
	for i := range 6 {
		if !yield(fmt.Sprintf("receipt-%d.txt", i)) {
			return
		}
	}
}

// checkSaved finds files in a directory that are not whole, that lack, or that nobody saved. An
// attempt that was replaced may still be removing its part.
func (s *scene) checkSaved(ctx context.Context, directory string, whole map[string]string) {
	var broken []string
	for range 50 {
		if broken = brokenFiles(directory, whole); len(broken) == 0 || !program.Sleep(ctx, 200*time.Millisecond) {
			break
		}
	}
	for _, text := range broken {
		s.findings.add(foundBrokenFile, s.id, "%s: %s", s.id, text)
	}
}

// brokenFiles says what is wrong with the files in a directory. whole has the SHA-256 of each file
// by its path.
func brokenFiles(directory string, whole map[string]string) (broken []string) {
	missing := maps.Clone(whole)
	err := filepath.WalkDir(directory, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(directory, name)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(name) //nolint:gosec // in the run's own directory
		want, known := missing[relative]
		delete(missing, relative)
		switch {
		case err != nil:
			return err
		case !known:
			broken = append(broken, fmt.Sprintf("%s was left over, with %d bytes", relative, len(content)))
		case digestOf(content) != want:
			broken = append(broken, fmt.Sprintf("%s is not whole, with %d bytes", relative, len(content)))
		}
		return nil
	})
	if err != nil {
		broken = append(broken, err.Error())
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		broken = append(broken, name+" was not saved")
	}
	return broken
}

// saving is the time in which a workflow has saved files.
type saving struct{ from, until time.Time }

func savingsIn(events []*historypb.HistoryEvent) (savings []saving) {
	scheduled := map[int64]time.Time{}
	for _, event := range events {
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			if event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == asteroid.SaveFilesName {
				scheduled[event.GetEventId()] = event.GetEventTime().AsTime()
			}
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			if from, ok := scheduled[event.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()]; ok {
				savings = append(savings, saving{from, event.GetEventTime().AsTime()})
			}
		}
	}
	return savings
}

// overlap reports whether two of the savings happened at once.
func overlap(savings []saving) bool {
	for i, a := range savings {
		for _, b := range savings[:i] {
			if a.from.Before(b.until) && b.from.Before(a.until) {
				return true
			}
		}
	}
	return false
}
