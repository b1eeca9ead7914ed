package testsuite_test

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/temporal-asteroid/asteroid/testsuite"
)

// A test would use NewAPI, which takes its *testing.T and closes the API by itself.
func Example() {
	api, err := testsuite.StartAPI(testsuite.WithStartDelay(0))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer api.Close()

	clerk := api.AddAgent("clerk", func(run testsuite.Run) []testsuite.Step {
		return []testsuite.Step{
			testsuite.Act("nav_to", "Opening the portal"),
			testsuite.WriteFile("downloads", "receipt.txt", "text/plain", []byte("paid")),
			testsuite.Complete("success", "The portal shows it as paid.", map[string]any{"paid": run.Inputs["invoice"]}),
		}
	})

	// The code under test would send this request.
	request, err := http.NewRequest("POST", api.BaseURL()+"/agents/v2/agents/"+clerk+"/execute",
		strings.NewReader(`{"inputs": {"invoice": "INV-1042"}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Api-Key", api.APIKey())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()

	for _, execution := range api.Executions() {
		fmt.Println(execution.Agent, execution.Status, string(execution.Result), execution.Outputs[0].Name)
	}
	for _, request := range api.Requests() {
		fmt.Println(request.Operation, request.Status)
	}
	// Output:
	// clerk completed {"paid":"INV-1042"} receipt.txt
	// AgentExecutePost 202
}
