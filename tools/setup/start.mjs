import { PACKAGES } from "./machine.mjs";
import { prepareAndRun } from "./prepare.mjs";

await prepareAndRun("tools/first-run/main.ts", process.argv.slice(2), PACKAGES);
