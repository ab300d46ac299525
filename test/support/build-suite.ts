/** What tests of builds share: a daemon with busybox for a file of tests, a context for each of them, and builds of it. */
import { afterAll, beforeAll, beforeEach } from "bun:test";
import { TestContext } from "./build-context.ts";
import type { CommandResult } from "./commands.ts";
import { TestDaemon, type TestDaemonOptions } from "./daemon.ts";
import { type RegistryProcess, startRegistry } from "./registry-server.ts";

export interface BuildSuiteOptions {
	/** Of each context. */
	readonly files?: Readonly<Record<string, string | readonly string[]>>;
	readonly daemon?: TestDaemonOptions;
	/** Whether there is one to push to. */
	readonly registry?: boolean;
}

export class BuildSuite {
	#daemon: TestDaemon | undefined;
	#context: TestContext | undefined;
	#registry: RegistryProcess | undefined;

	/** Registers the hooks of the file that calls it. */
	constructor({ files = {}, daemon, registry = false }: BuildSuiteOptions = {}) {
		beforeAll(async () => {
			if (registry) this.#registry = await startRegistry();
			this.#daemon = await TestDaemon.start(daemon);
			await this.#daemon.loadBusybox();
		});
		afterAll(async () => {
			await this.#daemon?.remove();
			await this.#registry?.[Symbol.asyncDispose]();
		});
		beforeEach(() => {
			const context = new TestContext(files);
			this.#context = context;
			return () => context[Symbol.dispose]();
		});
	}

	get daemon(): TestDaemon {
		if (this.#daemon === undefined) throw new Error("The daemon is there in tests and hooks only");
		return this.#daemon;
	}

	get context(): TestContext {
		if (this.#context === undefined) throw new Error("A context is there in tests only");
		return this.#context;
	}

	get registry(): RegistryProcess {
		if (this.#registry === undefined) throw new Error("There is no registry unless the suite asks for one");
		return this.#registry;
	}

	/** `gantry build` of the context, with progress in lines. @param dockerfile written first, unless it is there already */
	readonly build = (dockerfile: readonly string[] | undefined, ...args: string[]): Promise<CommandResult> => {
		if (dockerfile !== undefined) this.context.write({ Dockerfile: dockerfile });
		return this.daemon.gantry(["build", "--progress", "plain", ...args, this.context.directory]);
	};

	/** All that it said. @throws Error with that when the build fails */
	readonly mustBuild = async (dockerfile: readonly string[] | undefined, ...args: string[]): Promise<string> => {
		const { code, stdout, stderr } = await this.build(dockerfile, ...args);
		if (code !== 0) throw new Error(stderr);
		return `${stdout}${stderr}`;
	};

	/** What a build that has to fail says. */
	readonly failure = async (dockerfile: readonly string[], ...args: string[]): Promise<string> => {
		const { code, stdout, stderr } = await this.build(dockerfile, ...args);
		if (code === 0) throw new Error(`The build did not fail:\n${stdout}${stderr}`);
		return stderr;
	};

	/** What a shell in the image says. */
	readonly run = (image: string, script: string): Promise<string> =>
		this.daemon.mustDocker(["run", "--rm", image, "sh", "-c", script]);
}
