package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

type announcement struct {
	BaseURL, OrganizationID, APIKey string
	Agents                          map[string]string
}

// serve runs the program until the test ends and returns its line of JSON.
func serve(t *testing.T, args ...string) announcement {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"--listen", "127.0.0.1:0", "--json"}, args...), writer, io.Discard)
	}()
	t.Cleanup(func() {
		stop()
		if got := <-code; got != 0 {
			t.Errorf("exit code %d", got)
		}
	})
	line, err := bufio.NewReader(reader).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var said announcement
	if err := json.Unmarshal(line, &said); err != nil {
		t.Fatal(err)
	}
	return said
}

func TestAnnouncesInOneLineOfJSONAndServes(t *testing.T) {
	said := serve(t, "--api-key", "mine")
	if said.APIKey != "mine" || said.OrganizationID == "" {
		t.Errorf("announced %+v", said)
	}
	for _, name := range []string{"inventory", "totals", "report", "patient"} {
		if said.Agents[name] == "" {
			t.Errorf("agent %s is missing in %v", name, said.Agents)
		}
	}
	request, err := http.NewRequest("GET", said.BaseURL+"/users/v2/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Api-Key", "mine")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestTellsPeopleHowToUseIt(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	var stdout, stderr bytes.Buffer
	if code := run(ctx, []string{"--listen", "127.0.0.1:0"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	for _, want := range []string{"ASTEROID_BASE_URL=http://127.0.0.1:", "ASTEROID_API_KEY=", "ASTEROID_ORGANIZATION_ID=", "inventory"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, &stdout)
		}
	}
}

func TestAnAddressInUseIsOneLineThatSaysWhatToDo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), []string{"--listen", listener.Addr().String()}, &stdout, &stderr)
	if code != 1 || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "--listen") {
		t.Errorf("exit code %d, said %q", code, &stderr)
	}
}

func TestWrongArgumentsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"--port", "1"}, {"now"}, {"--concurrency", "x"}, {"--concurrency", "-1"}} {
		if code := run(context.Background(), args, io.Discard, io.Discard); code != 2 {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}

// The vendor's SDKs are not installed by this repository: point the variables at Pythons that have what
// clients/*.txt names.
func TestTheVendorsClientsWork(t *testing.T) {
	for dialect, variable := range map[string]string{
		"agents": "ASTEROID_AGENTS_SDK_PYTHON", "workflows": "ASTEROID_WORKFLOWS_SDK_PYTHON",
	} {
		t.Run(dialect, func(t *testing.T) {
			python := os.Getenv(variable)
			if python == "" {
				t.Skipf("%s is not set", variable)
			}
			said := serve(t)
			client := exec.CommandContext(t.Context(), python, "clients/"+dialect+"_dialect.py")
			client.Env = append(os.Environ(), "ASTEROID_BASE_URL="+said.BaseURL, "ASTEROID_API_KEY="+said.APIKey,
				"ASTEROID_ORGANIZATION_ID="+said.OrganizationID)
			if output, err := client.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, output)
			}
		})
	}
}
