// Something to begin with: the tutorial's addition.

export const ADDITION_TEXT = `(module
  (func (export "main") (param i32 i32) (result i32)
    local.get 0
    local.get 1
    i32.add))
`;

export function exampleModule(): File {
  return new File([ADDITION_TEXT], "addition.wat");
}

export const EXAMPLE_WORKFLOW = `# task-002 and task-003 start side by side when task-001 has completed.
name: addition
module: addition.wat
tasks:
  - id: task-001
    name: main
    inputs: [10, 20]
  - id: task-002
    name: main
    inputs: [5, 15]
    depends_on: [task-001]
  - id: task-003
    name: main
    inputs: [100, 200]
    depends_on: [task-001]
`;

export const EXAMPLE_JOB = `# One task at a time, in this order, until one fails.
name: sequential-pipeline
execution_mode: sequential
module: addition.wat
tasks:
  - id: seq-task-001
    inputs: [1, 2]
  - id: seq-task-002
    inputs: [3, 4]
  - id: seq-task-003
    inputs: [5, 6]
`;
