import { prepareAndRun } from "./prepare.mjs";

await prepareAndRun("tools/run-tests/main.ts", process.argv.slice(2));
