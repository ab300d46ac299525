import { expect, test } from "bun:test";
import { ApiError } from "../../client/api-error.ts";
import { ExitError } from "../usage-error.ts";
import { startFailure } from "./start-failure.ts";

const MISSING = "no such file or directory";
for (const [name, error, code] of [
	["a command that is not in the container", new ApiError(400, `exec: "x": stat x: ${MISSING}`), 127],
	["a command that may not be executed", new ApiError(400, 'exec: "/x": permission denied'), 126],
	["another refusal of the daemon", new ApiError(409, "Conflict."), 125],
	["a missing file of the command line's own", new Error(`open /profile: ${MISSING}`), 125],
] as const)
	test(`startFailure() gives ${code} for ${name}`, () => {
		const failure = startFailure(error, "run");
		expect(failure).toBeInstanceOf(ExitError);
		expect(failure).toMatchObject({ exitCode: code });
	});
