/** Networks: how fast they are made, joined and used. Traffic is timed as seconds for a fixed amount, so that less is better. */
import { join } from "node:path";
import { type EngineClient, IMAGE, PREFIX } from "./engine-client.ts";
import { OutsideHost } from "./outside-host.ts";
import type { Scenario } from "./scenarios.ts";

const NETWORK = `${PREFIX}-net`;
const SERVER = `${PREFIX}-server`;
const CLIENT = `${PREFIX}-client`;
const SLEEP = ["sleep", "3600"];
const MANY_PORTS = 500;
const CROWD = 200;
/** Of a published port for each protocol. */
const PORTS = { http: 18_081, stream: 18_082 } as const;
const STREAM_BYTES = "2G";
const REQUESTS = 100_000;
const CONNECTIONS = 32;
const QUESTIONS = 100_000;

const removeAll = async (client: EngineClient) => {
	await client.removeContainers();
	await client.time("network", "rm", NETWORK).catch(() => 0);
};
const makeNetwork = async (client: EngineClient) => {
	await removeAll(client);
	await client.time("network", "create", NETWORK);
};

/** Pid of a container's process, by which its network namespace is reached. */
const pidOf = (client: EngineClient, name: string) => client.output("inspect", "-f", "{{.State.Pid}}", name);
const addressOf = (client: EngineClient, name: string) =>
	client.output("inspect", "-f", `{{(index .NetworkSettings.Networks "${NETWORK}").IPAddress}}`, name);

/** Scenarios whose containers talk, with servers that run in a container's network and clients outside or in another one. */
export class NetworkScenarios implements AsyncDisposable {
	readonly #outside = new Map<string, OutsideHost>();
	readonly #servers: Bun.Subprocess[] = [];

	all(): readonly Scenario[] {
		return [
			{
				name: "network create + rm",
				goal: 1 / 4,
				prepare: removeAll,
				measure: async (client) =>
					(await client.time("network", "create", NETWORK)) + (await client.time("network", "rm", NETWORK)),
				cleanUp: removeAll,
			},
			{
				name: "run --rm --network NET … true",
				goal: 1 / 4,
				prepare: makeNetwork,
				measure: (client) => client.time("run", "--rm", "--network", NETWORK, IMAGE, "true"),
				cleanUp: removeAll,
			},
			{
				name: `run -d of ${MANY_PORTS} published ports`,
				roundsFactor: 0.5,
				measure: async (client) => {
					const range = `20000-${20_000 + MANY_PORTS - 1}`;
					const seconds = await client.time("run", "-d", "--name", SERVER, "-p", `${range}:${range}`, IMAGE, ...SLEEP);
					await client.removeContainers();
					return seconds;
				},
				cleanUp: removeAll,
			},
			this.#besideOthers(0),
			this.#besideOthers(CROWD),
			this.#traffic("2 GB into a published port", (client) => this.#stream(client, "outside")),
			this.#traffic("2 GB between two containers", (client) => this.#stream(client, "container")),
			this.#traffic("100,000 requests to a published port", (client) => this.#requests(client, "outside")),
			this.#traffic("100,000 requests between two containers", (client) => this.#requests(client, "container")),
			this.#traffic("5,000 connections to a published port", (client) => this.#connections(client)),
			this.#traffic("100,000 names of containers asked for", (client) => this.#names(client)),
		];
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#endServers();
		for (const host of this.#outside.values()) await host[Symbol.asyncDispose]();
	}

	#besideOthers(count: number): Scenario {
		return {
			name: count === 0 ? "run -d --network NET, the first" : `run -d --network NET beside ${count}`,
			prepare: async (client) => {
				await makeNetwork(client);
				for (let index = 0; index < count; index++)
					await client.time("run", "-d", "--name", `${PREFIX}-${index}`, "--network", NETWORK, IMAGE, ...SLEEP);
			},
			measure: async (client) => {
				const seconds = await client.time("run", "-d", "--name", SERVER, "--network", NETWORK, IMAGE, ...SLEEP);
				await client.time("rm", "-f", SERVER);
				return seconds;
			},
			cleanUp: removeAll,
		};
	}

	#traffic(name: string, measure: (client: EngineClient) => Promise<number>): Scenario {
		return {
			name,
			goal: 1,
			roundsFactor: 0.5,
			prepare: (client) => this.#startPair(client),
			measure,
			cleanUp: async (client) => {
				this.#endServers();
				await removeAll(client);
			},
		};
	}

	/** Two containers, and in the first one's network the servers of this benchmark: the same program for every engine. */
	async #startPair(client: EngineClient): Promise<void> {
		await makeNetwork(client);
		const ports = [`${PORTS.http}:80`, `${PORTS.stream}:5201`].flatMap((port) => ["-p", port]);
		await client.time("run", "-d", "--name", SERVER, "--network", NETWORK, ...ports, IMAGE, ...SLEEP);
		await client.time("run", "-d", "--name", CLIENT, "--network", NETWORK, IMAGE, ...SLEEP);
		const pid = await pidOf(client, SERVER);
		const inside = (...argv: string[]) =>
			this.#servers.push(Bun.spawn(["nsenter", "-t", pid, "-n", ...argv], { stdio: ["ignore", "ignore", "ignore"] }));
		inside("iperf3", "-s");
		inside(process.execPath, join(import.meta.dir, "http-server.ts"));
		await this.#outsideOf(client);
		await until(async () => (await this.#curl(client)) === 0);
	}

	#endServers(): void {
		for (const server of this.#servers.splice(0)) server.kill("SIGKILL");
	}

	async #curl(client: EngineClient): Promise<number> {
		const host = await this.#outsideOf(client);
		const argv = [
			...host.prefix,
			"curl",
			"-s",
			"--max-time",
			"1",
			"-o",
			"/dev/null",
			`http://${host.target}:${PORTS.http}/`,
		];
		return await Bun.spawn(argv, { stdio: ["ignore", "ignore", "ignore"] }).exited;
	}

	async #outsideOf({ side }: EngineClient): Promise<OutsideHost> {
		const known = this.#outside.get(side.host);
		if (known !== undefined) return known;
		const made = await OutsideHost.create(side.networkNamespace);
		this.#outside.set(side.host, made);
		return made;
	}

	/** Where a client runs, and what it calls. */
	async #path(
		client: EngineClient,
		from: "outside" | "container",
		port: { readonly published: number; readonly own: number },
	) {
		if (from === "outside") {
			const host = await this.#outsideOf(client);
			return { prefix: host.prefix, address: host.target, port: port.published };
		}
		const prefix = ["nsenter", "-t", await pidOf(client, CLIENT), "-n"];
		return { prefix, address: await addressOf(client, SERVER), port: port.own };
	}

	async #stream(client: EngineClient, from: "outside" | "container"): Promise<number> {
		const { prefix, address, port } = await this.#path(client, from, { published: PORTS.stream, own: 5201 });
		const text = await output([...prefix, "iperf3", "-c", address, "-p", String(port), "-n", STREAM_BYTES, "-J"]);
		return (JSON.parse(text) as { end: { sum_sent: { seconds: number } } }).end.sum_sent.seconds;
	}

	async #requests(client: EngineClient, from: "outside" | "container"): Promise<number> {
		const { prefix, address, port } = await this.#path(client, from, { published: PORTS.http, own: 80 });
		const text = await output([...prefix, "wrk", "-t1", `-c${CONNECTIONS}`, "-d2", `http://${address}:${port}/`]);
		return REQUESTS / Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
	}

	/** Each on a connection of its own: what a new one costs. */
	async #connections(client: EngineClient): Promise<number> {
		const { prefix, address, port } = await this.#path(client, "outside", { published: PORTS.http, own: 80 });
		const text = await output([...prefix, "ab", "-q", "-n", "5000", "-c", "4", `http://${address}:${port}/`]);
		return Number(/Time taken for tests:\s+([\d.]+)/.exec(text)?.[1]);
	}

	async #names(client: EngineClient): Promise<number> {
		const pid = await pidOf(client, CLIENT);
		const names = `${PREFIX}-questions`;
		const path = join("/tmp", names);
		await Bun.write(path, `${SERVER} A\n${CLIENT} A\n`);
		const argv = [
			"nsenter",
			"-t",
			pid,
			"-n",
			"dnsperf",
			"-s",
			"127.0.0.11",
			"-d",
			path,
			"-l",
			"2",
			"-c",
			"4",
			"-q",
			"32",
		];
		const text = await output(argv);
		return QUESTIONS / Number(/Queries per second:\s+([\d.]+)/.exec(text)?.[1]);
	}
}

async function output(argv: readonly string[]): Promise<string> {
	const child = Bun.spawn([...argv], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
	const [text, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
	if (code !== 0) throw new Error(`${argv.join(" ")} ended with code ${code}: ${errors || text}`);
	return text;
}

async function until(probe: () => Promise<boolean>): Promise<void> {
	for (let attempt = 0; attempt < 600; attempt++) {
		if (await probe()) return;
		await Bun.sleep(50);
	}
	throw new Error("the servers in the container's network do not answer");
}
