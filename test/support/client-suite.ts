/** What the end-to-end suites share: a daemon with busybox for each file, a client, a folder, and a look for leaks at the end. */
import { afterAll, beforeAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CommandOptions, CommandResult } from "./commands.ts";
import { dockerClient, TestDaemon } from "./daemon.ts";
import { expectNoLeaks, type MachineSnapshot, takeSnapshot } from "./leaks.ts";

const SET_UP_MS = 60_000;

export class ClientSuite {
	#daemon: TestDaemon | undefined;
	#before: MachineSnapshot | undefined;
	/** On the host, gone after the tests. */
	readonly folder = mkdtempSync(join(tmpdir(), "gantry-suite-"));

	/** Call at the top of a test file. */
	static use(): ClientSuite {
		const suite = new ClientSuite();
		beforeAll(() => suite.#start(), SET_UP_MS);
		afterAll(() => suite.#end(), SET_UP_MS);
		return suite;
	}

	get daemon(): TestDaemon {
		if (this.#daemon === undefined) throw new Error("The daemon runs during tests only");
		return this.#daemon;
	}

	/** The official client where this machine has one, else ours: both take the same words. */
	run(args: readonly string[], options?: CommandOptions): Promise<CommandResult> {
		return dockerClient === undefined ? this.daemon.gantry(args, options) : this.daemon.docker(args, options);
	}

	/** Standard output. @throws Error when the client fails */
	must(args: readonly string[], options?: CommandOptions): Promise<string> {
		return dockerClient === undefined ? this.daemon.mustGantry(args, options) : this.daemon.mustDocker(args, options);
	}

	/** What a client that must fail says. @throws Error when it does not */
	async refusal(args: readonly string[], options?: CommandOptions): Promise<string> {
		const { code, stdout, stderr } = await this.run(args, options);
		if (code === 0) throw new Error(`${args.join(" ")} should have failed; it said:\n${stdout}${stderr}`);
		return stderr;
	}

	/** `sh -c` in a container of its own. */
	sh(script: string, ...options: string[]): Promise<string> {
		return this.must(["run", "--rm", ...options, "busybox", "sh", "-c", script]);
	}

	async #start(): Promise<void> {
		this.#daemon = await TestDaemon.start();
		await this.#daemon.loadBusybox();
		this.#before = await takeSnapshot(this.#daemon.isOurs);
	}

	async #end(): Promise<void> {
		rmSync(this.folder, { recursive: true, force: true });
		const daemon = this.#daemon;
		if (daemon === undefined) return;
		try {
			const ids = (await (await daemon.api("GET", "/containers/json?all=1")).json()) as readonly { Id: string }[];
			for (const { Id } of ids) await daemon.api("DELETE", `/containers/${Id}?force=1&v=1`);
			if (this.#before !== undefined)
				// The kernel takes its time to clear namespaces away, with the links in them, when there are many.
				await expectNoLeaks(this.#before, { isOurs: daemon.isOurs, timeoutMs: 20_000 });
		} finally {
			await daemon.remove();
		}
	}
}
