/** bzip2 and xz, by the programs of the machine: nothing here reads these formats. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { errnoCode, InvalidParameterError, UnavailableError } from "../../base/errors.ts";

export type DecompressProgram = "bzip2" | "xz";

/** xz allocates what an archive's header asks for. */
const ARGUMENTS: Readonly<Record<DecompressProgram, readonly string[]>> = {
	bzip2: ["-d", "-c", "-q"],
	xz: ["-d", "-c", "-q", "--memlimit-decompress=1GiB"],
};
/** Options in the daemon's environment are not meant for it. */
const ENVIRONMENT = { LC_ALL: "C", PATH: process.env["PATH"] ?? "/usr/bin:/bin" };
const COMPLAINT_LIMIT = 4096;
const BEGINNING_LIMIT_BYTES = 1 << 24;

/**
 * What comes out of the program. It is killed when the caller leaves early; it reads no faster than the caller does.
 * @throws UnavailableError when it is not installed, InvalidParameterError for damaged data, and what the input throws
 */
export async function* decompressedBy(
	program: DecompressProgram,
	input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
	const child = spawn(program, ARGUMENTS[program], { cwd: "/", env: ENVIRONMENT, stdio: ["pipe", "pipe", "pipe"] });
	let complaint = "";
	child.stderr.on("data", (data: Buffer) => {
		complaint = (complaint + data.toString("latin1")).slice(0, COMPLAINT_LIMIT);
	});
	let spawnFailure: unknown;
	const ended = new Promise<number | null>((resolve, reject) => {
		child.once("error", (error) => {
			spawnFailure = error;
			reject(error);
		});
		child.once("close", (code) => resolve(code));
	});
	ended.catch(() => {}); // told below
	let inputFailure: { readonly error: unknown } | undefined;
	const feeding = feed(input, child.stdin).catch((error: unknown) => {
		inputFailure = { error };
		child.kill("SIGKILL");
	});
	try {
		for await (const chunk of child.stdout) yield chunk;
		const code = await ended;
		if (inputFailure !== undefined) throw inputFailure.error;
		if (code !== 0) throw new InvalidParameterError(`invalid ${program} data: ${reason(complaint, program)}`);
		await feeding;
	} catch (cause) {
		// The streams of a program that never ran only tell that they are closed.
		if (spawnFailure === undefined) throw cause;
		throw errnoCode(spawnFailure) === "ENOENT" ? missing(program, spawnFailure) : spawnFailure;
	} finally {
		child.kill("SIGKILL");
		child.stdin.destroy();
		child.stdout.destroy();
	}
}

/**
 * What the beginning of a file holds, as far as it goes; blocks of bzip2 are up to 900 kB.
 * @returns undefined when the program is not installed
 */
export function decompressedBeginning(program: DecompressProgram, head: Uint8Array): Buffer | undefined {
	const options = { cwd: "/", env: ENVIRONMENT, input: head, maxBuffer: BEGINNING_LIMIT_BYTES, timeout: 10_000 };
	const { stdout, error } = spawnSync(program, ARGUMENTS[program], options);
	if (error !== undefined && errnoCode(error) === "ENOENT") return undefined;
	return stdout ?? Buffer.alloc(0);
}

async function feed(input: AsyncIterable<Uint8Array>, stdin: Writable): Promise<void> {
	let isOver = false;
	const over = new Promise<void>((resolve) => {
		const end = () => {
			isOver = true;
			resolve();
		};
		// The program has ended before its input did: its exit code tells why.
		stdin.on("error", end);
		stdin.once("close", end);
	});
	for await (const chunk of input) {
		if (isOver) return;
		if (!stdin.write(chunk)) await Promise.race([once(stdin, "drain").catch(() => {}), over]);
	}
	if (!isOver) stdin.end();
}

function reason(complaint: string, program: DecompressProgram): string {
	const [line = ""] = complaint.trim().split("\n");
	return line.replace(`${program}: `, "").replace("(stdin): ", "") || "it cannot be decompressed";
}

function missing(program: DecompressProgram, cause: unknown): Error {
	const text = `archives compressed with ${program} need the program ${program}, which is not installed on this machine`;
	return new UnavailableError(text, { cause });
}
