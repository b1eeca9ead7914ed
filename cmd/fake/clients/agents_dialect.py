"""Runs the vendor's SDK of the agents dialect, unmodified, against the fake or the real API.

Needs ASTEROID_BASE_URL, ASTEROID_API_KEY and ASTEROID_ORGANIZATION_ID, and the agents inventory
and patient, which the fake serves. Exits with 0 if every check passes.

Install the SDK with: pip install -r agents_dialect.txt
"""

import os
import time
import urllib.request
import uuid
from datetime import datetime, timedelta, timezone

from asteroid_odyssey import (
    AgentsAgentExecuteAgentRequest as ExecuteRequest,
    AgentsApi,
    AgentProfilePoolsApi,
    AgentProfilesApi,
    AgentsExecutionStatus as Status,
    AgentsExecutionUpdateableStatus as UpdatableStatus,
    AgentsExecutionUpdateExecutionStatusRequest as StatusRequest,
    AgentsExecutionUserMessagesAddTextBody as MessageRequest,
    ApiClient,
    ApiException,
    Configuration,
    ContextApi,
    ExecutionApi,
    FilesApi,
    WorkflowsApi,
)

ORGANIZATION = os.environ["ASTEROID_ORGANIZATION_ID"]
ROWS = b"month,amount\nMay,12.50\nJune,7.25\n"
BINARY = os.urandom(600_000)

client = ApiClient(
    Configuration(
        host=os.environ["ASTEROID_BASE_URL"].rstrip("/") + "/agents/v2",
        api_key={"ApiKeyAuth": os.environ["ASTEROID_API_KEY"]},
    )
)
agents, executions, files = AgentsApi(client), ExecutionApi(client), FilesApi(client)


def wait(execution_id, *statuses):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        execution = executions.execution_get(execution_id)
        if execution.status in statuses:
            return execution
        time.sleep(0.1)
    raise SystemExit(f"execution {execution_id} is {execution.status}, not {statuses}")


def set_status(execution_id, status):
    response = executions.execution_status_update(execution_id, StatusRequest(status=status))
    assert response == "Execution status updated.", response


def agent_id(name):
    page = agents.agent_list(organization_id=ORGANIZATION, page_size=10, page=1, search_name=name)
    assert page.total == 1, page
    return page.items[0].id


def refused(status, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ApiException as error:
        assert error.status == status, error
        return
    raise SystemExit(f"{call.__name__} was not refused with {status}")


def check_files_and_result():
    organizations = ContextApi(client).context_get().organizations
    assert [o.id for o in organizations] == [ORGANIZATION], organizations

    staged = files.temp_files_stage(ORGANIZATION, [("sales.csv", ROWS), ("sales.csv", ROWS), ("noise.bin", BINARY)]).temp_files
    assert len({f.name for f in staged}) == 3, staged
    reference = str(uuid.uuid4())
    request = ExecuteRequest(
        inputs={"invoice_number": "INV-1042", "nested": {"list": [1, 2.5, None]}},
        metadata={"client_ref": reference},
        temp_files=staged,
    )
    before = datetime.now(timezone.utc) - timedelta(minutes=1)
    inventory = agent_id("inventory")
    execution_id = agents.agent_execute_post(inventory, request).execution_id
    refused(400, agents.agent_execute_post, inventory, request)  # a staged file can be used once

    execution = wait(execution_id, Status.COMPLETED)
    assert execution.execution_result.outcome == "success", execution
    assert execution.inputs == request.inputs and execution.metadata == request.metadata, execution
    assert execution.trigger_context.actual_instance.source == "api", execution
    found = {f["name"]: f for f in execution.execution_result.result["files"]}
    assert found["noise.bin"]["size"] == len(BINARY), found
    assert found["sales.csv"]["rows"] == 2 and found["sales.csv"]["columns"] == ["month", "amount"], found

    page = executions.executions_list(
        organization_id=ORGANIZATION, agent_id=inventory, page=1, page_size=10, created_after=before,
        status=[Status.COMPLETED, Status.FAILED], metadata_key="client_ref", metadata_value=reference,
    )
    assert [e.id for e in page.items] == [execution_id] and page.total == 1, page

    for listing in files.execution_files_get(execution_id), files.execution_agent_files_get(execution_id):
        assert [f.file_name for f in listing.directories.downloads] == ["inventory.json"], listing
        uploads = {f.file_name: f for f in listing.directories.uploads}
    flat = files.execution_context_files_get(execution_id)
    assert len(flat) == 4, flat
    noise = uploads["noise.bin"]
    with urllib.request.urlopen(noise.download_url) as response:
        assert response.read() == BINARY
    for download in (
        files.execution_file_download_redirect_without_preload_content,
        files.execution_agent_file_download_redirect_without_preload_content,
        files.execution_context_file_download_redirect_without_preload_content,
    ):
        assert download(execution_id, noise.id).data == BINARY, download
    assert executions.execution_recording_redirect_without_preload_content(execution_id).data


def check_steering():
    patient = agent_id("patient")
    request = ExecuteRequest(inputs={"seconds": 2, "ask": "Which account?", "answers": ["Checking", "Savings"]})
    execution_id = agents.agent_execute_post(patient, request).execution_id
    refused(400, set_status, execution_id, UpdatableStatus.RUNNING)
    assert wait(execution_id, Status.RUNNING).live_view_url
    set_status(execution_id, UpdatableStatus.PAUSED)
    wait(execution_id, Status.PAUSED)
    set_status(execution_id, UpdatableStatus.RUNNING)
    wait(execution_id, Status.PAUSED_BY_AGENT)
    log = executions.execution_activities_get(execution_id, order="desc", limit=20)
    question = log[0].payload.actual_instance.paused_payload
    assert question.reason == "Which account?", question
    assert files.execution_context_files_upload(execution_id, [("late.txt", b"late")]) == "Files uploaded."
    response = executions.execution_user_messages_add(execution_id, MessageRequest(message="Savings"))
    assert response == "User message added.", response
    execution = wait(execution_id, Status.COMPLETED)
    assert execution.execution_result.result["answer"] == "Savings", execution
    assert execution.duration >= 2 and execution.recording_url, execution
    kinds = {a.payload.actual_instance.activity_type for a in executions.execution_activities_get(execution_id, order="asc")}
    assert {"status_changed", "action_started", "action_completed", "user_message_received", "file_added"} <= kinds, kinds

    execution_id = agents.agent_execute_post(patient, ExecuteRequest(inputs={"seconds": 60})).execution_id
    set_status(execution_id, UpdatableStatus.CANCELLED)
    wait(execution_id, Status.CANCELLED)
    refused(400, set_status, execution_id, UpdatableStatus.CANCELLED)
    last = executions.execution_activities_get(execution_id, order="desc", limit=1)[0].payload.actual_instance
    assert last.status == Status.CANCELLED, last

    refused(404, executions.execution_get, str(uuid.uuid4()))


def check_versions_and_profiles():
    versions, echo = WorkflowsApi(client), agent_id("echo")
    (published,) = [v for v in versions.agent_workflows_list(echo) if v.is_published]
    version = versions.agent_workflows_get(echo, published.id)
    assert version.settings.max_timeout_mins >= 1, version
    inputs = {i.name: i for i in versions.agent_workflows_get_inputs(echo, published.id).inputs}
    assert inputs["seconds"].var_schema["type"] == "number" and not inputs["seconds"].required, inputs
    assert versions.agent_workflows_get_output_schemas(echo, published.id), published

    profiles, pools = AgentProfilesApi(client), AgentProfilePoolsApi(client)
    profile = profiles.agent_profiles_list(organization_id=ORGANIZATION).items[0]
    assert profiles.agent_profile_get(profile.id).inbox_email == profile.inbox_email
    mail = profiles.agent_profile_get_inbox_emails(profile.id, limit=1).emails[0]
    assert profiles.agent_profile_get_inbox_email(profile.id, mail.id).text
    pool = pools.agent_profile_pools_list(organization_id=ORGANIZATION).items[0]
    assert pools.agent_profile_pool_get(pool.id).name == pool.name
    assert pools.agent_profile_pool_members_list(pool.id).items[0].id == profile.id


check_files_and_result()
check_steering()
check_versions_and_profiles()
print("the agents dialect works")
