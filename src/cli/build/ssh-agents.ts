import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorMessage } from "../../base/errors.ts";
import { SocketChannel } from "../../client/socket-channel.ts";
import type { Environment } from "../settings.ts";
import type { SshSource } from "./secret-options.ts";

/** Agents that a build may use: those of the environment, other sockets, or one of our own that holds the keys of files. */
export class SshAgents implements AsyncDisposable {
	readonly #sockets = new Map<string, string>();
	readonly #owned = new AsyncDisposableStack();

	private constructor() {}

	/** @throws Error for an agent or a key that is not there */
	static async open(sources: readonly SshSource[], environment: Environment): Promise<SshAgents> {
		const agents = new SshAgents();
		try {
			for (const source of sources) await agents.#add(source, environment);
			return agents;
		} catch (error) {
			await agents[Symbol.asyncDispose]();
			throw error;
		}
	}

	has(id: string): boolean {
		return this.#sockets.has(id === "" ? "default" : id);
	}

	/** A connection to the agent; undefined when there is none of that name. */
	async connect(id: string): Promise<SocketChannel | undefined> {
		const path = this.#sockets.get(id === "" ? "default" : id);
		return path === undefined ? undefined : await SocketChannel.open({ kind: "unix", path });
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#owned.disposeAsync();
	}

	async #add({ id, paths }: SshSource, environment: Environment): Promise<void> {
		const [first = environment["SSH_AUTH_SOCK"] ?? ""] = paths;
		if (first === "") throw new Error(`invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set`);
		const status = await stat(first).catch((cause: unknown) => {
			throw new Error(`failed to use ${first} for ssh: ${errorMessage(cause)}`, { cause });
		});
		if (status.isSocket()) {
			if (paths.length > 1) throw new Error("only one ssh agent socket can be given for an ID");
			this.#sockets.set(id, first);
		} else this.#sockets.set(id, await this.#startAgent(paths));
	}

	/** An agent that lives as long as the build and has these keys. */
	async #startAgent(keys: readonly string[]): Promise<string> {
		const directory = await mkdtemp(join(tmpdir(), "gantry-ssh-"));
		this.#owned.defer(() => rm(directory, { recursive: true, force: true }));
		const socket = join(directory, "agent");
		const agent = spawn(["ssh-agent", "-D", "-a", socket], {});
		this.#owned.defer(async () => {
			agent.kill();
			await agent.exited;
		});
		// It tells that it listens by printing where.
		await agent.stdout.getReader().read();
		for (const key of keys) {
			const adding = spawn(["ssh-add", "-q", key], { SSH_AUTH_SOCK: socket, SSH_ASKPASS_REQUIRE: "never" });
			const [text, code] = await Promise.all([new Response(adding.stderr).text(), adding.exited]);
			if (code !== 0) throw new Error(`failed to add ssh key ${key}: ${text.trim() || `ssh-add ended with ${code}`}`);
		}
		return socket;
	}
}

function spawn(argv: string[], variables: Readonly<Record<string, string>>) {
	try {
		return Bun.spawn(argv, {
			stdin: "ignore",
			stdout: "pipe",
			stderr: "pipe",
			env: { ...process.env, ...variables },
		});
	} catch (cause) {
		throw new Error(`${argv[0]} is needed to use keys from files: ${errorMessage(cause)}`, { cause });
	}
}
