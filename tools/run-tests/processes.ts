/** Runs one test process at a time, within a time limit, and ends whatever it left running. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** In the environment of every process of a run, so that those which left the process group are still found. */
export const RUN_MARK = "GANTRY_TEST_RUN";

export interface TestProcess {
	readonly argv: readonly string[];
	readonly cwd: string;
	readonly timeLimitMs: number;
	/** Keep a copy of standard output. */
	readonly capture?: boolean;
}

export interface TestProcessResult {
	/** 128 + signal number for a killed process. */
	readonly code: number;
	readonly timedOut: boolean;
	readonly output: string;
	/** Command lines of processes that outlived it, now killed. */
	readonly leftBehind: readonly string[];
}

const SETTLE_MS = 3_000;
const STOP_MS = 10_000;

/** @throws the signal's reason when aborted; the process and all it started are dead by then. */
export async function runTestProcess(process_: TestProcess, signal: AbortSignal): Promise<TestProcessResult> {
	signal.throwIfAborted();
	const mark = `${process.pid}-${crypto.randomUUID()}`;
	const [program = "", ...args] = process_.argv;
	const child = spawn(program, args, {
		cwd: process_.cwd,
		detached: true,
		stdio: ["ignore", process_.capture === true ? "pipe" : "inherit", "inherit"],
		env: { ...process.env, [RUN_MARK]: mark },
	});
	const output: Buffer[] = [];
	child.stdout?.on("data", (chunk: Buffer) => {
		output.push(chunk);
		process.stdout.write(chunk);
	});
	const ended = new Promise<number>((resolve, reject) => {
		child.on("error", reject);
		child.on("close", (code, signalName) => resolve(code ?? (signalName === "SIGKILL" ? 137 : 143)));
	});
	let timedOut = false;
	const stop = () => stopGroup(child.pid, ended);
	const timer = setTimeout(() => {
		timedOut = true;
		stop();
	}, process_.timeLimitMs);
	signal.addEventListener("abort", stop);
	try {
		const code = await ended;
		const leftBehind = await endLeftovers(mark);
		signal.throwIfAborted();
		return { code, timedOut, output: Buffer.concat(output).toString(), leftBehind };
	} finally {
		clearTimeout(timer);
		signal.removeEventListener("abort", stop);
	}
}

/** SIGTERM lets the tests clean up after themselves; SIGKILL follows. */
function stopGroup(pid: number | undefined, ended: Promise<number>): void {
	if (pid === undefined) return;
	killQuietly(-pid, "SIGTERM");
	const timer = setTimeout(() => killQuietly(-pid, "SIGKILL"), STOP_MS);
	ended.then(
		() => clearTimeout(timer),
		() => clearTimeout(timer),
	);
}

/** Gives processes that are on their way out a moment, kills the others. */
async function endLeftovers(mark: string): Promise<string[]> {
	const deadline = Date.now() + SETTLE_MS;
	for (;;) {
		const left = findMarked(mark);
		if (left.length === 0) return [];
		if (Date.now() > deadline) {
			for (const { pid } of left) killQuietly(pid, "SIGKILL");
			return left.map(({ pid, commandLine }) => `${pid} ${commandLine}`);
		}
		await Bun.sleep(50);
	}
}

interface MarkedProcess {
	readonly pid: number;
	readonly commandLine: string;
}

function findMarked(mark: string): MarkedProcess[] {
	const wanted = `${RUN_MARK}=${mark}`;
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.flatMap((name) => {
			try {
				if (!readFileSync(`/proc/${name}/environ`, "latin1").split("\0").includes(wanted)) return [];
				const commandLine = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
				return [{ pid: Number(name), commandLine }];
			} catch {
				return []; // the process ended meanwhile (ENOENT, ESRCH)
			}
		});
}

function killQuietly(pid: number, signal: NodeJS.Signals): void {
	try {
		process.kill(pid, signal);
	} catch {
		// ESRCH: it is gone already, which is what we want
	}
}
