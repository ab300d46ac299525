import { PACKAGES, TEST_PACKAGES } from "./machine.mjs";
import { prepareAndRun } from "./prepare.mjs";

await prepareAndRun("tools/run-tests/main.ts", process.argv.slice(2), [...PACKAGES, ...TEST_PACKAGES]);
