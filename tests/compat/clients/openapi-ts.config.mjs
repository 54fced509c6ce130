// How @hey-api/openapi-ts makes a client: with names of files as Node has them.
export default {
  input: "openapi.json",
  output: { path: "client", module: { extension: ".ts" } },
};
