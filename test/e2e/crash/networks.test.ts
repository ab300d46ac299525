/**
 * The daemon dies before calls to its drivers while networks are made, removed, joined and left: the next one has every bridge,
 * rule, interface, route and name that its records say, and nothing else. `GANTRY_CRASH_POINTS=all` takes every call.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { mustRun } from "../../support/commands.ts";
import { DoomedDaemon } from "./doomed-daemon.ts";
import { type Operation, Round, SLEEPER } from "./operation.ts";
import { seededRandom } from "./random.ts";

const EVERY = process.env["GANTRY_CRASH_POINTS"] === "all";
const CHOSEN = 4;
const TIMEOUT_MS = EVERY ? 300_000 : 90_000;
const random = seededRandom(21);
/** The protocol by number: its name is printed only where /etc/protocols is there. */
const TCP = 6;
const PORT = { ExposedPorts: { "80/tcp": {} } };

let doomed: DoomedDaemon;
let rounds = 0;
beforeAll(async () => {
	for (const name of readdirSync("/sys/class/net")) strangers.add(name);
	doomed = await DoomedDaemon.start();
});
afterAll(async () => {
	await doomed[Symbol.asyncDispose]();
});

interface NetworkInfo {
	readonly Name: string;
	readonly Id: string;
	readonly Driver: string;
}

interface MemberInfo {
	readonly Id: string;
	readonly Name: string;
	readonly State: { readonly Running: boolean; readonly Pid: number };
	readonly NetworkSettings: {
		readonly Ports: Readonly<Record<string, readonly { readonly HostPort: string }[] | null>>;
		readonly Networks: Readonly<Record<string, { readonly IPAddress: string; readonly Gateway: string }>>;
	};
}

/** A network whose bridge is known for this daemon's by its name. */
async function createNetwork(round: Round, letter: string): Promise<void> {
	const bridge = `${round.daemon.bridge}u${letter}`;
	await round.request("POST", "/networks/create", {
		Name: `${round.name}${letter}`,
		Options: { "com.docker.network.bridge.name": bridge },
	});
}

/** A network on a parent of its own, which is called after the network's ID. */
async function createOnParent(round: Round): Promise<void> {
	await round.request("POST", "/networks/create", { Name: `${round.name}m`, Driver: "macvlan" });
}

async function networksOf(round: Round): Promise<NetworkInfo[]> {
	return (await round.request("GET", '/networks?filters={"type":["custom"]}')) as NetworkInfo[];
}

/** A container on the networks, which runs. */
async function startMember(round: Round, ...letters: string[]): Promise<void> {
	const names = letters.map((letter) => `${round.name}${letter}`);
	await round.create({
		...SLEEPER,
		...PORT,
		HostConfig: { NetworkMode: names[0], PortBindings: { "80/tcp": [{ HostPort: "" }] } },
		NetworkingConfig: { EndpointsConfig: Object.fromEntries(names.map((name) => [name, {}])) },
	});
	await round.start();
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
	"network create": {
		act: async (round) => {
			await createNetwork(round, "a");
			round.acknowledge("created");
		},
		check: async (round) => {
			const exists = (await networksOf(round)).length === 1;
			if (round.has("created")) expect(exists).toBe(true);
			if (!exists) await createNetwork(round, "a");
			await startMember(round, "a");
		},
	},
	"network rm": {
		prepare: (round) => createNetwork(round, "a"),
		act: async (round) => {
			await round.request("DELETE", `/networks/${round.name}a`);
			round.acknowledge("removed");
		},
		check: async (round) => {
			const exists = (await networksOf(round)).length === 1;
			if (round.has("removed")) expect(exists).toBe(false);
			if (exists) await round.request("DELETE", `/networks/${round.name}a`);
			await createNetwork(round, "a");
		},
	},
	"container start on two networks": {
		prepare: async (round) => {
			for (const letter of ["a", "b"]) await createNetwork(round, letter);
		},
		act: async (round) => {
			await startMember(round, "b", "a");
			round.acknowledge("started");
		},
		check: async (round) => {
			const exists = await round.exists("containers", round.name);
			if (round.has("started")) expect((await round.inspect()).State.Running).toBe(true);
			if (exists) await round.start();
			else await startMember(round, "b", "a");
		},
	},
	"container rm -f on two networks": {
		prepare: async (round) => {
			for (const letter of ["a", "b"]) await createNetwork(round, letter);
			await startMember(round, "a", "b");
		},
		act: async (round) => {
			await round.request("DELETE", `/containers/${round.name}?force=1`);
			round.acknowledge("removed");
		},
		check: async (round) => {
			await round.daemon.api("DELETE", `/containers/${round.name}?force=1`);
			for (const letter of ["a", "b"]) await round.request("DELETE", `/networks/${round.name}${letter}`);
		},
	},
	"network connect": {
		prepare: async (round) => {
			for (const letter of ["a", "b"]) await createNetwork(round, letter);
			await startMember(round, "b");
		},
		act: async (round) => {
			await round.request("POST", `/networks/${round.name}a/connect`, { Container: round.name });
			round.acknowledge("connected");
		},
		check: async (round) => {
			const isMember = `${round.name}a` in (await members(round))[0].NetworkSettings.Networks;
			if (round.has("connected")) expect(isMember).toBe(true);
			if (!isMember) await round.request("POST", `/networks/${round.name}a/connect`, { Container: round.name });
		},
	},
	"macvlan network create, and a container on it": {
		act: async (round) => {
			await createOnParent(round);
			round.acknowledge("created");
			await startMember(round, "m");
			round.acknowledge("started");
		},
		check: async (round) => {
			const exists = (await networksOf(round)).length === 1;
			if (round.has("created")) expect(exists).toBe(true);
			if (!exists) await createOnParent(round);
			if (round.has("started")) expect((await round.inspect()).State.Running).toBe(true);
			if (await round.exists("containers", round.name)) await round.start();
			else await startMember(round, "m");
		},
	},
	"macvlan network rm": {
		prepare: createOnParent,
		act: async (round) => {
			await round.request("DELETE", `/networks/${round.name}m`);
			round.acknowledge("removed");
		},
		check: async (round) => {
			const exists = (await networksOf(round)).length === 1;
			if (round.has("removed")) expect(exists).toBe(false);
			if (exists) await round.request("DELETE", `/networks/${round.name}m`);
		},
	},
	"ports published and taken back": {
		prepare: async (round) => {
			await createNetwork(round, "a");
			await startMember(round, "a");
		},
		act: async (round) => {
			await round.request("POST", `/containers/${round.name}/update`, {
				PublishAdd: { "81/tcp": [{ HostPort: "" }] },
				PublishRm: { "80/tcp": [] },
			});
			round.acknowledge("updated");
		},
		check: async (round) => {
			const [{ NetworkSettings }] = await members(round);
			const published = Object.entries(NetworkSettings.Ports).flatMap(([key, bindings]) => (bindings ? key : []));
			if (round.has("updated")) expect(published).toEqual(["81/tcp"]);
			for (const key of published)
				await round.request("POST", `/containers/${round.name}/update`, { PublishRm: { [key]: [] } });
			await round.request("POST", `/containers/${round.name}/update`, { PublishAdd: { "82/tcp": [{ HostPort: "" }] } });
		},
	},
	"network disconnect": {
		prepare: async (round) => {
			for (const letter of ["a", "b"]) await createNetwork(round, letter);
			await startMember(round, "a", "b");
		},
		act: async (round) => {
			await round.request("POST", `/networks/${round.name}a/disconnect`, { Container: round.name });
			round.acknowledge("disconnected");
		},
		check: async (round) => {
			const isMember = `${round.name}a` in (await members(round))[0].NetworkSettings.Networks;
			if (round.has("disconnected")) expect(isMember).toBe(false);
			if (isMember) await round.request("POST", `/networks/${round.name}a/disconnect`, { Container: round.name });
		},
	},
};

/** Containers that run. At least one is expected. */
async function members(round: Round): Promise<[MemberInfo, ...MemberInfo[]]> {
	const [first, ...more] = await running(round);
	if (first === undefined) throw new Error("no container runs");
	return [first, ...more];
}

async function running(round: Round): Promise<MemberInfo[]> {
	const list = (await round.request("GET", "/containers/json")) as readonly { Id: string }[];
	return await Promise.all(
		list.map(async ({ Id }) => (await round.request("GET", `/containers/${Id}/json`)) as MemberInfo),
	);
}

const strangers = new Set<string>();

/** Not one of another test's. */
function isOurParent(name: string): boolean {
	return !strangers.has(name);
}

/** What differs between the daemon's word and the machine. */
async function audit(round: Round): Promise<string[]> {
	const { daemon } = round;
	const [networks, containers] = [await networksOf(round), await running(round)];
	const problems: string[] = [];
	const expectSame = (what: string, wanted: readonly string[], found: readonly string[]) => {
		if (JSON.stringify([...wanted].sort()) !== JSON.stringify([...found].sort()))
			problems.push(`${what}: wanted ${wanted.join(" ")}, found ${found.join(" ")}`);
	};
	const links: { ifname: string; master?: string }[] = JSON.parse(await mustRun(["ip", "-j", "link", "show"]));
	expectSame(
		"parents",
		networks.filter(({ Driver }) => Driver === "macvlan").map(({ Id }) => `dm-${Id.slice(0, 12)}`),
		links.map(({ ifname }) => ifname).filter((name) => name.startsWith("dm-") && isOurParent(name)),
	);
	const bridges = links.filter(({ ifname }) => ifname.startsWith(`${daemon.bridge}u`)).map(({ ifname }) => ifname);
	expectSame(
		"bridges",
		networks.filter(({ Driver }) => Driver === "bridge").map(({ Name }) => `${daemon.bridge}u${Name.at(-1)}`),
		bridges,
	);
	const endpoints = containers.flatMap(({ NetworkSettings: { Networks } }) => Object.keys(Networks));
	const ports = links.filter(({ master = "" }) => bridges.includes(master));
	expectSame(
		"interfaces on bridges",
		endpoints.filter((name) => !name.endsWith("m")).map((name) => `${daemon.bridge}u${name.at(-1)}`),
		ports.map(({ master = "" }) => master),
	);
	if (readdirSync(`${daemon.execRoot}/endpoints`).length !== endpoints.length)
		problems.push("endpoint states left or missing");
	const rules = await mustRun(["nft", "-n", "list", "table", "ip", `gantry-${daemon.bridge}`]);
	const chains = [...rules.matchAll(/chain from_bridge_([0-9a-f]{12})/g)].map(([, id = ""]) => id);
	const all = (await round.request("GET", '/networks?filters={"driver":["bridge"]}')) as NetworkInfo[];
	expectSame(
		"chains",
		all.map(({ Id }) => Id.slice(0, 12)),
		chains,
	);
	for (const container of containers) problems.push(...(await auditMember(container, rules)));
	return problems;
}

/** Interfaces, way out, name server and published ports of one container. */
async function auditMember({ Name, State, NetworkSettings }: MemberInfo, rules: string): Promise<string[]> {
	const problems: string[] = [];
	const inside = (...argv: string[]) => mustRun(["nsenter", `--net=/proc/${State.Pid}/ns/net`, ...argv]);
	const wanted = Object.entries(NetworkSettings.Networks).sort(([a], [b]) => (a < b ? -1 : 1));
	const found = [...(await inside("ip", "-4", "-o", "addr", "show", "scope", "global")).matchAll(/inet ([\d.]+)/g)];
	const addresses = wanted.map(([, { IPAddress }]) => IPAddress);
	if (
		found
			.map(([, address]) => address)
			.sort()
			.join() !== [...addresses].sort().join()
	)
		problems.push(`${Name} has ${found.map(([, address]) => address).join()}, not ${addresses.join()}`);
	const route = await inside("ip", "route", "show", "default");
	const [main] = wanted;
	if (main === undefined || main[1].Gateway === "" ? route !== "" : !route.includes(`via ${main[1].Gateway} `))
		problems.push(`${Name} goes out by "${route.trim()}", not by ${main?.[0]}`);
	if (main !== undefined && !(await inside("ss", "-lun")).includes("127.0.0.11:"))
		problems.push(`${Name} has no name server`);
	const sockets = await mustRun(["ss", "-ltnH"]);
	for (const [key, bindings] of Object.entries(NetworkSettings.Ports))
		for (const { HostPort } of bindings ?? []) {
			if (main !== undefined && !rules.includes(`${TCP} . ${HostPort} : ${main[1].IPAddress} . ${key.split("/")[0]}`))
				problems.push(`port ${HostPort} of ${Name} does not lead to ${main[1].IPAddress}`);
			if (!sockets.includes(`:${HostPort} `)) problems.push(`port ${HostPort} of ${Name} is held by nobody`);
		}
	return problems;
}

async function newRound(operation: Operation): Promise<Round> {
	if (!doomed.daemon.isRunning) await doomed.daemon.start();
	const round = new Round(doomed.daemon, `net${++rounds}`);
	await operation.prepare?.(round);
	return round;
}

async function cleanUp(round: Round): Promise<void> {
	const list = (await round.request("GET", "/containers/json?all=1")) as readonly { Id: string }[];
	for (const { Id } of list) await round.request("DELETE", `/containers/${Id}?force=1&v=1`);
	await round.request("POST", "/networks/prune");
}

async function dieOnceAt(operation: Operation, call: number): Promise<string[]> {
	const round = await newRound(operation);
	const place = await doomed.dieAt(call, () => operation.act(round));
	if (place !== undefined) await doomed.daemon.start();
	const problems: string[] = [];
	const note = (problem: string) => problems.push(`died at ${call}, ${place ?? "never reached"}: ${problem}`);
	for (const problem of await audit(round)) note(problem);
	await operation.check(round).catch((error: unknown) => note(error instanceof Error ? error.message : String(error)));
	for (const problem of await audit(round)) note(`in use: ${problem}`);
	await cleanUp(round);
	for (const problem of await audit(round)) note(`after clean-up: ${problem}`);
	return problems;
}

function choose<T>(calls: readonly T[]): T[] {
	if (EVERY || calls.length <= CHOSEN) return [...calls];
	const width = calls.length / CHOSEN;
	const at = (part: number) => calls[Math.floor((part + random.next()) * width)];
	return Array.from({ length: CHOSEN }, (_, part) => at(part)).filter((call) => call !== undefined);
}

test.each(Object.entries(OPERATIONS))(
	`%s survives the daemon's death, seed ${random.seed}`,
	async (_name, operation) => {
		const measured = await newRound(operation);
		const calls = await doomed.changingCalls(() => operation.act(measured));
		await cleanUp(measured);
		expect(calls.length).toBeGreaterThan(1);
		const problems: string[] = [];
		for (const { number } of choose(calls)) problems.push(...(await dieOnceAt(operation, number)));
		expect(problems).toEqual([]);
	},
	TIMEOUT_MS,
);
