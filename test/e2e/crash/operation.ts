/** What the crash suite does to a daemon while it dies, and what has to hold afterwards. */
import { readFileSync } from "node:fs";
import { waitFor } from "../../support/commands.ts";
import type { TestDaemon } from "../../support/daemon.ts";

/** Everything that one round of an operation uses, under names of its own. */
export class Round {
	/** What the daemon has answered for; only that has to hold after its death. */
	readonly acknowledged = new Set<string>();
	/** Something the preparation made for the operation. */
	archive: Uint8Array = new Uint8Array();

	constructor(
		readonly daemon: TestDaemon,
		readonly name: string,
	) {}

	get volume(): string {
		return `${this.name}-volume`;
	}

	get tag(): string {
		return `${this.name}:crash`;
	}

	acknowledge(step: string): void {
		this.acknowledged.add(step);
	}

	has(step: string): boolean {
		return this.acknowledged.has(step);
	}

	/** @throws Error with the daemon's answer when it is not a success (304 is one) */
	async request(method: string, path: string, body?: Uint8Array | Readonly<Record<string, unknown>>): Promise<unknown> {
		const reply = await this.daemon.api(method, path, body);
		const text = await reply.text();
		if (reply.status >= 400 || text.includes('"errorDetail"'))
			throw new Error(`${method} ${path}: ${reply.status} ${text}`);
		const isJson = reply.headers.get("content-type")?.includes("json") === true;
		return text === "" || text.includes("\n{") || !isJson ? text : JSON.parse(text);
	}

	async status(method: string, path: string): Promise<number> {
		const reply = await this.daemon.api(method, path);
		await reply.arrayBuffer();
		return reply.status;
	}

	async create(config: Readonly<Record<string, unknown>>, name = this.name): Promise<string> {
		const { Id } = (await this.request("POST", `/containers/create?name=${name}`, {
			Image: "busybox",
			...config,
		})) as { Id: string };
		return Id;
	}

	async start(name = this.name): Promise<void> {
		await this.request("POST", `/containers/${name}/start`);
	}

	/** Starts a WAITER and waits until it listens: as process 1 it would not even notice an earlier signal. */
	async startWaiter(): Promise<void> {
		await this.start();
		await waitFor("the traps to be set", async () => {
			const { State } = await this.inspect();
			const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${State.Pid}/status`, "utf8"))?.[1] ?? "0";
			return ((BigInt(`0x${caught}`) >> BigInt(SIGUSR1 - 1)) & 1n) === 1n;
		});
	}

	async inspect(name = this.name): Promise<ContainerInfo> {
		return (await this.request("GET", `/containers/${name}/json`)) as ContainerInfo;
	}

	async exists(kind: "containers" | "volumes" | "images", name: string): Promise<boolean> {
		const status = await this.status("GET", kind === "volumes" ? `/volumes/${name}` : `/${kind}/${name}/json`);
		if (status !== 200 && status !== 404) throw new Error(`inspect of ${name}: ${status}`);
		return status === 200;
	}
}

export interface ContainerInfo {
	readonly Id: string;
	readonly Name: string;
	readonly State: {
		readonly Status: string;
		readonly Running: boolean;
		readonly Paused: boolean;
		readonly ExitCode: number;
		readonly Pid: number;
	};
	readonly HostConfig: { readonly Memory: number };
	readonly Mounts: readonly { readonly Name?: string; readonly Destination: string }[];
}

export interface Operation {
	/** Before the daemon's death is ordered. */
	readonly prepare?: (round: Round) => Promise<void>;
	/** Rejects when the daemon dies under it. */
	readonly act: (round: Round) => Promise<void>;
	/** With the next daemon. @throws what expect throws */
	readonly check: (round: Round) => Promise<void>;
}

const SIGUSR1 = 10;

/** Ends with code 7 when told to by SIGUSR1, with 0 when stopped. */
export const WAITER = {
	Cmd: ["sh", "-c", "trap 'exit 7' USR1; trap 'exit 0' TERM; while :; do sleep 0.02; done"],
} as const;
export const SLEEPER = { Cmd: ["sleep", "1000"], StopSignal: "SIGKILL" } as const;
