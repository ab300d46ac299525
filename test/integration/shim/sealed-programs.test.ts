import { afterAll, expect, test } from "bun:test";
import {
	closeSync,
	copyFileSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readlinkSync,
	rmSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "../../../src/base/logger.ts";
import { SealedPrograms } from "../../../src/drivers/runtime-shim/sealed-programs.ts";
import { ShimFixture } from "./fixture.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-sealed-"));
afterAll(() => rmSync(directory, { recursive: true }));

const program = join(directory, "crun");
const output = async (path: string, ...args: string[]) =>
	(await Bun.spawn([path, ...args], { argv0: "busybox" }).stdout.text()).trim();
/** Other test files may share the process. */
const openCopies = () =>
	readdirSync("/proc/self/fd").filter((fd) => {
		try {
			return readlinkSync(`/proc/self/fd/${fd}`).startsWith("/memfd:crun");
		} catch {
			return false; // the descriptor that listed the directory
		}
	}).length;

test("SealedPrograms copies a runtime into memory that nobody can write to, and again when the file has changed", async () => {
	const programs = new SealedPrograms(silentLogger);
	const openBefore = openCopies();
	copyFileSync("/bin/busybox", program);
	const first = programs.pathOf(program) ?? "";
	expect(await output(first, "readlink", "/proc/self/exe")).toStartWith("/memfd:crun");
	expect(programs.pathOf(program)).toBe(first);
	const writable = openSync(first, "r+");
	expect(() => writeSync(writable, "x")).toThrow("EPERM");
	closeSync(writable);
	rmSync(program);
	copyFileSync("/bin/true", program);
	expect(await output(programs.pathOf(program) ?? "", "--version")).toContain("true");
	expect(openCopies()).toBe(openBefore + 1);
	programs[Symbol.dispose]();
	expect(openCopies()).toBe(openBefore);
});

test("SealedPrograms copies neither scripts, nor programs that may look for files beside themselves, nor what is not there", () => {
	using programs = new SealedPrograms(silentLogger);
	writeFileSync(program, "#!/bin/sh\n", { mode: 0o755 });
	copyFileSync("/bin/true", join(directory, "other"));
	expect(programs.pathOf(program)).toBeUndefined();
	expect(programs.pathOf(join(directory, "other"))).toBeUndefined();
	expect(programs.pathOf(join(directory, "missing/crun"))).toBeUndefined();
});

test("a shim executes the runtime itself when its copy went with the daemon", async () => {
	const fixture = new ShimFixture();
	try {
		const shims = fixture.newRuntime();
		const request = fixture.container({ args: ["true"] });
		const task = await shims.launch(request);
		shims[Symbol.dispose]();
		await task.start();
		expect((await task.exited).exitCode).toBe(0);
		await fixture.shims.delete(request.runtime, request.id);
		await task.forget();
	} finally {
		await fixture.close();
	}
});
