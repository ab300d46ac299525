/** One side's client as a program: whole processes are started and timed. */
import { openSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { clientArguments, type Side } from "./sides.ts";

const TIMEOUT_MS = 120_000;

/** Prefix of every container and image that a benchmark makes. */
export const PREFIX = "gantry-bench";
export const IMAGE = `${PREFIX}:latest`;

export class EngineClient {
	readonly #devNull = openSync("/dev/null", "w");

	constructor(readonly side: Side) {}

	/** Seconds from the start of the process to its end. Output goes to /dev/null. @throws Error on a code other than 0. */
	async time(...args: readonly string[]): Promise<number> {
		const startedAt = performance.now();
		const child = this.#spawn(args, this.#devNull);
		const code = await child.exited;
		const seconds = (performance.now() - startedAt) / 1000;
		if (code !== 0) throw this.#failure(args, code, await child.stderr.text());
		return seconds;
	}

	/** Trimmed standard output. @throws Error on a code other than 0. */
	async output(...args: readonly string[]): Promise<string> {
		return (await this.feed(undefined, ...args)).trim();
	}

	async feed(stdin: Uint8Array | undefined, ...args: readonly string[]): Promise<string> {
		const child = this.#spawn(args, "pipe", stdin);
		const [stdout, stderr, code] = await Promise.all([
			new Response(child.stdout as ReadableStream).text(),
			child.stderr.text(),
			child.exited,
		]);
		if (code !== 0) throw this.#failure(args, code, stderr);
		return stdout;
	}

	#spawn(args: readonly string[], stdout: number | "pipe", stdin?: Uint8Array) {
		return Bun.spawn([this.side.client, ...clientArguments(this.side, args)], {
			stdin: stdin ?? "ignore",
			stdout,
			stderr: "pipe",
			timeout: TIMEOUT_MS,
			// Podman takes the latter for a file that must be there.
			env: {
				...process.env,
				...(this.side.storage === undefined ? { DOCKER_HOST: this.side.host, DOCKER_CONFIG: "/nonexistent" } : {}),
			},
		});
	}

	#failure(args: readonly string[], code: number, stderr: string): Error {
		return new Error(`${this.side.name}: ${args.join(" ")} ended with code ${code}: ${stderr.trim()}`);
	}

	/** The storage of an engine without a daemon goes with its last use. */
	async removeStorage(): Promise<void> {
		const { storage } = this.side;
		if (storage === undefined) return;
		await this.time("rmi", "-af");
		// It is mounted on itself while it is used.
		const argv = ["umount", `${storage}/storage/overlay`];
		await Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).exited;
		for (const part of ["storage", "run", "tmp"]) rmSync(`${storage}/${part}`, { recursive: true, force: true });
		if (readdirSync(storage).length === 0) rmdirSync(storage);
	}

	/** Removes what earlier runs left. */
	async removeContainers(): Promise<void> {
		const ids = await this.output("ps", "-aq", "--no-trunc", "--filter", `name=${PREFIX}`);
		if (ids !== "") await this.time("rm", "-f", "-v", ...ids.split("\n"));
	}

	/** Whether a server of this engine answers on a published port: one try from the daemon's network namespace. */
	async fetchPage(port: number): Promise<boolean> {
		const { networkNamespace } = this.side;
		const prefix = networkNamespace === undefined ? [] : ["nsenter", `--net=${networkNamespace}`];
		const argv = [...prefix, "busybox", "wget", "-q", "-O", "/dev/null", `http://127.0.0.1:${port}/`];
		return (await Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "ignore" }).exited) === 0;
	}
}
