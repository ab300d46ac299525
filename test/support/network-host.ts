/**
 * A host of its own for a daemon under test: a network namespace with its own links, routes and firewall, and another host on the
 * same wire. Nothing that happens there (a flushed ruleset, a policy of "drop") can disturb the machine.
 */
import { mustRun, runCommand } from "./commands.ts";

/** Of the host and of the one outside, in both families. */
export const HOST_ADDRESS = "192.0.2.1";
export const OUTSIDE_ADDRESS = "192.0.2.2";
export const HOST_ADDRESS6 = "2001:db8::1";
export const OUTSIDE_ADDRESS6 = "2001:db8::2";

let count = 0;

export class NetworkHost implements AsyncDisposable {
	readonly #name = `gth-${process.pid}-${++count}`;
	readonly outsideName = `${this.#name}-o`;
	/** The host's interface to the outside. */
	readonly uplink = "wan0";

	/** Goes before the daemon's command line: see TestDaemonOptions. */
	get wrapper(): readonly string[] {
		return ["nsenter", `--net=/run/netns/${this.#name}`];
	}

	static async create(): Promise<NetworkHost> {
		const host = new NetworkHost();
		const [inside, outside] = [host.#name, host.outsideName];
		const ip = (line: string) => mustRun(["ip", ...line.split(" ")]);
		for (const name of [inside, outside]) await ip(`netns add ${name}`);
		await ip(`link add ${host.uplink} netns ${inside} type veth peer name eth0 netns ${outside}`);
		for (const [name, link, address, address6] of [
			[inside, host.uplink, HOST_ADDRESS, HOST_ADDRESS6],
			[outside, "eth0", OUTSIDE_ADDRESS, OUTSIDE_ADDRESS6],
		] as const) {
			await ip(`-n ${name} link set lo up`);
			await ip(`-n ${name} addr add ${address}/24 dev ${link}`);
			await ip(`-n ${name} addr add ${address6}/64 dev ${link} nodad`);
			await ip(`-n ${name} link set ${link} up`);
		}
		return host;
	}

	/** Runs a program on the host. */
	run(...argv: readonly string[]): Promise<string> {
		return mustRun([...this.wrapper, ...argv]);
	}

	/** A file for `nft -f`. */
	nft(commands: string): Promise<string> {
		return mustRun([...this.wrapper, "nft", "-f", "-"], { stdin: commands });
	}

	/** Runs a program outside. */
	outside(...argv: readonly string[]) {
		return runCommand(["ip", "netns", "exec", this.outsideName, ...argv]);
	}

	/** First line of a page, undefined when it cannot be had. */
	async page(url: string, from: "host" | "outside" = "outside"): Promise<string | undefined> {
		const namespace = from === "host" ? this.#name : this.outsideName;
		const argv = ["ip", "netns", "exec", namespace, "curl", "-gs", "--max-time", "1", url];
		const { code, stdout } = await runCommand(argv);
		return code === 0 ? stdout.split("\n")[0] : undefined;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const name of [this.outsideName, this.#name]) await runCommand(["ip", "netns", "delete", name]);
	}
}
