import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { ShimRuntime } from "../../../src/drivers/runtime-shim/shim-runtime.ts";
import { SHIM_PATH } from "./fixture.ts";

/** Launches what its stdin describes, says so, and waits to be killed. */
const { execRoot, request, start } = await Bun.stdin.json();
const shims = new ShimRuntime({ shimPath: SHIM_PATH, execRoot, logger: silentLogger, clock: systemClock });
const task = await shims.launch(request);
if (start) await task.start();
process.stdout.write("launched\n");
await Bun.sleep(60_000);
