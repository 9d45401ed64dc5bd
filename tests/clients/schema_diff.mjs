// What changed between two schemas, as @graphql-inspector sees it: node schema_diff.mjs OLD NEW
import { readFileSync } from "node:fs";
import { diff } from "@graphql-inspector/core";
import { buildSchema } from "graphql";

const [before, after] = process.argv.slice(2).map((path) => buildSchema(readFileSync(path, "utf8")));
const changes = await diff(before, after);
process.stdout.write(JSON.stringify(changes.map(({ criticality, message, path }) => ({ level: criticality.level, message, path }))));
