// Plays the tutorial by the client that @hey-api/openapi-ts has made: node play.ts ADDRESS MODULE, which is base64.
// Prints all results as JSON.
import { client } from "./client/client.gen.ts";
import { createJob, createWorkflow, getJob, getWorkflow, startJob, startTask, uploadModule } from "./client/index.ts";
import type { NewTask, TaskState, TaskView } from "./client/index.ts";

declare const process: { argv: string[] };
const [address, base64] = process.argv.slice(2);
client.setConfig({ baseUrl: address });
const throwOnError = true;
const module = new File([Uint8Array.from(atob(base64), (each) => each.charCodeAt(0))], "addition.wasm");
const COMPLETED: TaskState = 3;
const results: Record<string, unknown> = {};

const tasks = (ids: string[], inputs: number[][]): NewTask[] =>
  ids.map((id, at) => ({ id, name: "main", inputs: inputs[at] }));

async function upload(created: TaskView[]): Promise<void> {
  for (const { id } of created) {
    const { data } = await uploadModule({ path: { id }, body: { file: module }, throwOnError });
    if (data.file !== base64) throw new Error(`${id} has another module`);
  }
}

async function collect(look: () => Promise<TaskView[]>): Promise<void> {
  let seen = await look();
  while (!seen.every((task) => task.state === COMPLETED)) seen = await look();
  for (const task of seen) results[task.id] = task.results;
}

const [first, second, third] = tasks(["task-001", "task-002", "task-003"], [[10, 20], [5, 15], [100, 200]]);
second.depends_on = third.depends_on = ["task-001"];
const workflow = await createWorkflow({ body: { tasks: [first, second, third] }, throwOnError });
const created = workflow.data.tasks;
await upload(created);
await startTask({ path: { id: "task-001" }, throwOnError });
const workflowId = created[0].workflow_id!;
await collect(async () => (await getWorkflow({ path: { id: workflowId }, throwOnError })).data.tasks ?? []);

for (const [mode, prefix, inputs] of [
  ["parallel", "job", [[100, 50], [25, 75], [200, 300]]],
  ["sequential", "seq", [[1, 2], [3, 4], [5, 6]]],
] as const) {
  const ids = [1, 2, 3].map((number) => `${prefix}-task-00${number}`);
  const body = { name: `${mode}-pipeline`, execution_mode: mode, tasks: tasks(ids, inputs.map((pair) => [...pair])) };
  const job = (await createJob({ body, throwOnError })).data;
  await upload(job.tasks);
  await startJob({ path: { id: job.job_id }, throwOnError });
  await collect(async () => (await getJob({ path: { id: job.job_id }, throwOnError })).data.tasks ?? []);
}
console.log(JSON.stringify(results));
