// Relay as applications use it: its compiler reads our schema and the page beside this file, its runtime runs what was compiled.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import compiler from "relay-compiler";
import runtime from "relay-runtime";

const here = dirname(fileURLToPath(import.meta.url));
const { createOperationDescriptor, Environment, getSingularSelector, Network, RecordSource, Store } = runtime;

// The folder with what was compiled, or what the compiler has against the schema or the operations.
export function compile({ schema, operations }) {
  const folder = mkdtempSync(join(here, "relay-"));
  mkdirSync(join(folder, "src"));
  copyFileSync(join(here, "relay", "Search.js"), join(folder, "src", "Search.js"));
  if (operations) writeFileSync(join(folder, "src", "Wrong.js"), `graphql\`${operations}\`;`);
  writeFileSync(join(folder, "schema.graphql"), schema);
  writeFileSync(join(folder, "package.json"), '{ "type": "commonjs" }');
  writeFileSync(
    join(folder, "relay.config.json"),
    JSON.stringify({ src: "src", schema: "schema.graphql", language: "javascript", eagerEsModules: false }),
  );
  const done = spawnSync(compiler, ["relay.config.json"], { cwd: folder, encoding: "utf8" });
  const compiled = done.status === 0 ? readdirSync(join(folder, "src", "__generated__")).sort() : [];
  return { folder, status: done.status, said: done.stdout + done.stderr, compiled };
}

// Two pages of a search, the rows of the list and one of them fetched anew by its id, and a mutation that is seen in it.
export async function run({ url, token, folder, variables, more, rename }) {
  const require = createRequire(join(folder, "src", "Search.js"));
  const artifact = (name) => require(`./__generated__/${name}.graphql.js`);
  const fetched = [];
  const environment = new Environment({
    network: Network.create(async ({ name, text }, given) => {
      fetched.push(name);
      const headers = { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) };
      const response = await fetch(url, { method: "POST", headers, body: JSON.stringify({ query: text, variables: given }) });
      return response.json();
    }),
    store: new Store(new RecordSource()),
  });
  const execute = (name, given) =>
    new Promise((resolve, reject) => {
      const operation = createOperationDescriptor(artifact(name), given);
      environment.retain(operation);
      environment.execute({ operation }).subscribe({ complete: () => resolve(operation), error: reject });
    });
  const shown = (operation, fragment) => {
    const { data } = environment.lookup(operation.fragment);
    return environment.lookup(getSingularSelector(artifact(fragment), data)).data;
  };
  const rows = (list) =>
    list.listings.edges.map(({ node }) => environment.lookup(getSingularSelector(artifact("Search_listing"), node)).data);

  const page = await execute("SearchPageQuery", variables);
  const first = shown(page, "Search_listings");
  const cursor = first.listings.pageInfo.endCursor;
  await execute("SearchMoreQuery", { ...variables, ...more, cursor });
  const both = shown(page, "Search_listings");
  const row = rows(both)[0];
  await execute("SearchListingQuery", { id: row.id, reviews: 2, after: row.reviews.pageInfo.endCursor });
  const asked = await execute("SearchNodesQuery", { ids: rows(both).map(({ id }) => id) });
  const { nodes } = environment.lookup(asked.fragment).data;
  await new Promise((resolve, reject) =>
    environment
      .executeMutation({ operation: createOperationDescriptor(artifact("SearchRenameMutation"), rename) })
      .subscribe({ complete: resolve, error: reject }),
  );
  const renamed = rows(shown(page, "Search_listings"));
  return {
    fetched,
    first: rows(first),
    both: rows(both),
    nodes,
    renamed,
    hasNext: both.listings.pageInfo.hasNextPage,
  };
}
