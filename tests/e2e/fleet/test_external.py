"""A proplet behind a broker whose guests another program runs."""

from tests.e2e.fleet.harness import ADDITION


def test_a_task_runs_in_the_program_and_the_manager_knows_which(make_fleet, wasmtime_program):
    fleet = make_fleet()
    fleet.begin(proplet_env={"PROPLET_EXTERNAL_WASM_RUNTIME": wasmtime_program})
    (proplet,) = fleet.get("/proplets")["proplets"]
    assert proplet["metadata"]["wasm_runtime"] == wasmtime_program
    fields = {"name": "main", "file": ADDITION, "inputs": [10, 20], "env": {"KEY": "value"}}
    task_id = fleet.post("/tasks", fields)["id"]
    fleet.post(f"/tasks/{task_id}/start")
    assert fleet.wait_for_task(task_id)["results"] == "30\n"
    wrong = fleet.post("/tasks", {**fields, "inputs": ["x", 20]})["id"]
    fleet.post(f"/tasks/{wrong}/start")
    assert fleet.wait_for_task(wrong)["error"].startswith(
        "Process exited with status: exit status: 1, stderr: "
    )
