package giteatest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Actions is the configuration of a server whose repositories run workflows.
const Actions = "[actions]\nENABLED = true\n"

// Runner takes the jobs of a repository's workflows from the server, by the
// protocol of Gitea's own runner (runner.v1.RunnerService, as JSON). How a job is
// done is its user's matter.
type Runner struct {
	server *Server
	labels []string
	header http.Header
}

// Task is a job that a Runner has taken.
type Task struct {
	ID       int64             `json:"id,string"`
	Workflow []byte            `json:"workflowPayload"` // the file, with this job alone
	Context  map[string]any    `json:"context"`         // the github context of its expressions
	Secrets  map[string]string `json:"secrets"`
	Vars     map[string]string `json:"vars"`
}

// NewRunner registers a runner for the jobs of a repository ("owner/name") that
// ask for a label.
func (s *Server) NewRunner(ctx context.Context, owner User, repo, label string) (*Runner, error) {
	var registration struct{ Token string }
	if err := s.API(ctx, owner, http.MethodPost, "/repos/"+repo+"/actions/runners/registration-token", nil, &registration); err != nil {
		return nil, err
	}
	r := &Runner{server: s, labels: []string{label}, header: http.Header{"Content-Type": {"application/json"}}}
	var got struct{ Runner struct{ UUID, Token string } }
	err := r.call(ctx, "Register", map[string]any{"name": "giteatest", "token": registration.Token, "labels": r.labels, "version": "giteatest"}, &got)
	r.header.Set("X-Runner-Uuid", got.Runner.UUID)
	r.header.Set("X-Runner-Token", got.Runner.Token)
	if err == nil {
		err = r.call(ctx, "Declare", map[string]any{"labels": r.labels, "version": "giteatest"}, nil)
	}
	return r, err
}

// Take takes a job that waits; nil when none does.
func (r *Runner) Take(ctx context.Context) (*Task, error) {
	var got struct{ Task *Task }
	if err := r.call(ctx, "FetchTask", map[string]any{}, &got); err != nil {
		return nil, err
	}
	return got.Task, nil
}

// End says that a job has ended, and what it wrote.
func (r *Runner) End(ctx context.Context, task *Task, success bool, log string) error {
	now := time.Now().UTC().Format(time.RFC3339)
	var rows []map[string]any
	for line := range strings.Lines(log) {
		rows = append(rows, map[string]any{"time": now, "content": strings.TrimSuffix(line, "\n")})
	}
	if err := r.call(ctx, "UpdateLog", map[string]any{"taskId": fmt.Sprint(task.ID), "index": "0", "rows": rows, "noMore": true}, nil); err != nil {
		return err
	}
	result := "RESULT_FAILURE"
	if success {
		result = "RESULT_SUCCESS"
	}
	state := map[string]any{"id": fmt.Sprint(task.ID), "result": result, "startedAt": now, "stoppedAt": now}
	return r.call(ctx, "UpdateTask", map[string]any{"state": state}, nil)
}

func (r *Runner) call(ctx context.Context, method string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.server.URL+"/api/actions/runner.v1.RunnerService/"+method, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = r.header.Clone()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", method, resp.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
