"""Runs the vendor's SDK of the workflows dialect, unmodified, against the fake or the real API.

Needs ASTEROID_BASE_URL, ASTEROID_API_KEY and ASTEROID_ORGANIZATION_ID, and the workflows totals,
report and patient, which the fake serves. Exits with 0 if every check passes.

Install the SDK with: pip install -r workflows_dialect.txt
"""

import os
import time
import urllib.request
import uuid
from datetime import datetime, timedelta, timezone

from asteroid_odyssey import (
    AgentsExecutionPhase as Phase,
    AgentsExecutionRerunExecutionRequest as RerunRequest,
    AgentsExecutionStatus as Status,
    AgentsExecutionUpdateableStatus as UpdatableStatus,
    AgentsExecutionUserMessagesAddTextBody as MessageRequest,
    ApiClient,
    ApiException,
    Configuration,
    ContextApi,
    ExecutionApi,
    FilesApi,
    ProfileGroupsApi,
    ProfilesApi,
    WorkflowVersionsApi,
    WorkflowsApi,
    WorkflowsWorkflowExecuteRequest as ExecuteRequest,
)

ORGANIZATION = os.environ["ASTEROID_ORGANIZATION_ID"]
ROWS = b"month,amount,note\nMay,12.50,a\nJune,7.25,b\n"

client = ApiClient(
    Configuration(
        host=os.environ["ASTEROID_BASE_URL"],
        api_key={"ApiKeyAuth": os.environ["ASTEROID_API_KEY"]},
    )
)
workflows, executions, files = WorkflowsApi(client), ExecutionApi(client), FilesApi(client)


def workflow_id(name):
    page = workflows.workflow_list(organization_id=ORGANIZATION, page_size=10, page=1, search_name=name)
    assert page.total == 1, page
    return page.items[0].id


def execute(name, **request):
    started = workflows.workflow_execute_post(workflow_id(name), ExecuteRequest(**request))
    assert started.status == Status.STARTING, started
    return started.execution_id


def finish(execution_id):
    """Long-polls until the execution is terminal or paused."""
    for _ in range(10):
        response = executions.execution_sync_get_with_http_info(execution_id, timeout_seconds=10)
        execution = response.data
        terminal = execution.status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)
        assert response.status_code == (200 if terminal else 202)
        if execution.status not in (Status.QUEUED, Status.STARTING, Status.RUNNING):
            return execution
    raise SystemExit(f"execution {execution_id} is still {execution.status}")


def wait(execution_id, status):
    for _ in range(600):
        execution = executions.execution_get(execution_id)
        if execution.status == status:
            return execution
        time.sleep(0.1)
    raise SystemExit(f"execution {execution_id} is {execution.status}, not {status}")


def refused(status, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ApiException as error:
        assert error.status == status, error
        return
    raise SystemExit(f"{call.__name__} was not refused with {status}")


def check_chain():
    caller = ContextApi(client).whoami_get()
    assert caller.organization_id == ORGANIZATION, caller

    staged = files.temp_files_upload([("sales.csv", ROWS)]).temp_files
    reference = str(uuid.uuid4())
    began = datetime.now(timezone.utc) - timedelta(minutes=1)
    first = execute(
        "totals", inputs={"region": "north"}, temp_files=staged,
        metadata={"client_ref": reference, "team": "sales"},
        execution_options={"variantKey": "North", "softTimeoutMins": 5},
    )
    completed = finish(first)
    assert completed.status == Status.COMPLETED, completed
    totals = completed.execution_result.result["files"][0]["totals"]
    assert totals == {"amount": 19.75}, totals

    second = execute("report", inputs={"executionId": first, "result": totals}, metadata={"client_ref": reference})
    assert finish(second).status == Status.COMPLETED
    listing = files.execution_files_get(second)
    report = listing.directories.downloads[0]
    with urllib.request.urlopen(report.download_url) as response:
        content = response.read()
    assert len(content) == report.file_size and first in content.decode() and "19.75" in content.decode(), content
    redirected = files.execution_file_download_redirect_without_preload_content(second, report.id)
    assert redirected.data == content

    copy = executions.execution_rerun(first, RerunRequest(inputs={"region": "south"})).execution_id
    assert finish(copy).status == Status.FAILED  # a rerun gets no staged files
    rerun = executions.execution_get(copy)
    assert rerun.parent_execution_id == first and rerun.metadata["client_ref"] == reference, rerun
    assert rerun.inputs == {"region": "south"} and rerun.workflow_version == 1, rerun
    original = executions.execution_get(first)
    assert original.has_been_rerun and original.execution_options.variant_key == "North", original
    plain = executions.execution_rerun(second).execution_id
    assert finish(plain).status == Status.COMPLETED

    found = executions.executions_list(
        organization_id=ORGANIZATION, metadata=[f"client_ref={reference}", "team=sales"], created_after=began,
        phase=[Phase.TERMINAL], trigger_source=["api"], sort="created_at:asc", page=1, page_size=10,
    )
    assert [e.id for e in found.items] == [first, copy], found
    found = executions.executions_list(
        organization_id=ORGANIZATION, metadata_key="client_ref", metadata_value=reference, created_within="1h",
        workflow_id=workflow_id("report"), page=2, page_size=1,
    )
    assert found.total == 2 and [e.id for e in found.items] == [second], found


def check_steering():
    execution_id = execute("patient", inputs={"seconds": 2, "ask": "Which account?"})
    assert executions.execution_sync_get(execution_id, timeout_seconds=1).status in (Status.STARTING, Status.RUNNING)
    wait(execution_id, Status.RUNNING)
    assert executions.execution_pause(execution_id).status == UpdatableStatus.PAUSED
    assert finish(execution_id).status == Status.PAUSED
    refused(400, executions.execution_pause, execution_id)
    assert executions.execution_resume(execution_id).status == UpdatableStatus.RUNNING
    assert finish(execution_id).status == Status.PAUSED_BY_AGENT
    log = executions.execution_activities_get(execution_id, order="desc", limit=1)
    question = log[0].payload.actual_instance.paused_payload.question.questions[0]
    assert question.question == "Which account?" and len(question.options) == 2, question
    executions.execution_user_messages_add(execution_id, MessageRequest(message=question.options[0].label))
    answered = finish(execution_id)
    assert answered.execution_result.result["answer"] == question.options[0].label, answered
    for activity in executions.execution_activities_get(execution_id):
        assert activity.execution_id == execution_id and activity.payload.actual_instance, activity

    execution_id = execute("patient", inputs={"seconds": 60})
    assert executions.execution_cancel(execution_id).status == UpdatableStatus.CANCELLED
    assert finish(execution_id).status == Status.CANCELLED
    cancelled = executions.execution_activities_get(execution_id, order="desc", limit=1)[0].payload.actual_instance
    assert cancelled.cancelled_payload.reason.value == "user_requested", cancelled
    refused(400, executions.execution_resume, execution_id)
    refused(404, executions.execution_sync_get, str(uuid.uuid4()))


def check_versions_and_profiles():
    versions, echo = WorkflowVersionsApi(client), workflow_id("echo")
    (published,) = [v for v in versions.workflow_versions_list(echo) if v.is_published]
    version = versions.workflow_versions_get(echo, published.id)
    assert version.settings.max_timeout_mins >= 1 and version.workflow_id == echo, version
    inputs = {i.name: i for i in versions.workflow_versions_get_inputs(echo, published.id).inputs}
    assert inputs["seconds"].var_schema["type"] == "number" and not inputs["seconds"].required, inputs
    assert versions.workflow_versions_get_output_schemas(echo, published.id), published
    started = execute("echo", inputs={"seconds": 1}, version=published.version)
    assert executions.execution_get(started).workflow_version == published.version

    profiles, groups = ProfilesApi(client), ProfileGroupsApi(client)
    profile = profiles.profiles_list(organization_id=ORGANIZATION).items[0]
    assert profiles.profile_get(profile.id).inbox_email == profile.inbox_email
    mail = profiles.profile_get_inbox_emails(profile.id, limit=1).emails[0]
    assert profiles.profile_get_inbox_email(profile.id, mail.id).text
    group = groups.profile_groups_list(organization_id=ORGANIZATION).items[0]
    assert groups.profile_group_get(group.id).name == group.name
    assert groups.profile_group_members_list(group.id).items[0].id == profile.id


check_chain()
check_steering()
check_versions_and_profiles()
print("the workflows dialect works")
