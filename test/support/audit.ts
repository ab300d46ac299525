/** Compares what a daemon says there is with what is on the machine. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "./commands.ts";
import type { TestDaemon } from "./daemon.ts";
import { readMounts } from "./leaks.ts";

interface Inspected {
	readonly Id: string;
	readonly Name: string;
	readonly State: {
		readonly Status: string;
		readonly Running: boolean;
		readonly Pid: number;
		readonly ExitCode: number;
	};
	readonly HostConfig: { readonly NetworkMode: string };
	readonly Mounts: readonly { readonly Type: string; readonly Source: string }[];
	readonly NetworkSettings: {
		readonly IPAddress?: string;
		readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>>;
		readonly Ports: Readonly<Record<string, readonly { readonly HostPort: string }[] | null>>;
	};
}

export interface AuditOptions {
	/** `--cgroup-parent` of the daemon, below which nobody else has cgroups. */
	readonly cgroupParent: string;
}

/**
 * What is there without a container it belongs to, and what a container should have and has not. Waits for a moment in which
 * nothing is out of order, since clean-up may go on after an answer, and the kernel takes its time to end namespaces.
 * @returns a line for each thing, empty when all is well
 */
export async function auditDaemon(daemon: TestDaemon, options: AuditOptions, patienceMs = 10_000): Promise<string[]> {
	const deadline = Date.now() + patienceMs;
	for (;;) {
		const findings = await auditOnce(daemon, options);
		if (findings.length === 0 || Date.now() > deadline) return findings;
		await Bun.sleep(50);
	}
}

export async function inspectAll(daemon: TestDaemon): Promise<Inspected[]> {
	const list = (await (await daemon.api("GET", "/containers/json?all=1")).json()) as readonly { Id: string }[];
	const found = await Promise.all(list.map(({ Id }) => daemon.api("GET", `/containers/${Id}/json`)));
	return await Promise.all(found.filter(({ ok }) => ok).map(async (reply) => (await reply.json()) as Inspected));
}

async function auditOnce(daemon: TestDaemon, { cgroupParent }: AuditOptions): Promise<string[]> {
	const containers = await inspectAll(daemon);
	const running = containers.filter(({ State }) => State.Running);
	const all = containers.map(({ Id }) => Id);
	const live = running.map(({ Id }) => Id);
	const bridged = running.filter(({ HostConfig }) => ["default", "bridge"].includes(HostConfig.NetworkMode));
	const sandboxed = running.filter(({ HostConfig: { NetworkMode: mode } }) => !/^(host|container:)/.test(mode));
	const { dataRoot, execRoot } = daemon;
	return [
		...compare("snapshot", all, [...new Set(names(`${dataRoot}/snapshots/containers`).map(ownerOf))]),
		...compare("directory", all, names(`${dataRoot}/containers`)),
		...compare("monitor directory", live, names(`${execRoot}/shim`)),
		...compare("bundle", live, names(`${execRoot}/bundles`)),
		...compare(
			"namespace",
			sandboxed.map(({ Id }) => Id),
			names(`${execRoot}/netns`),
		),
		...compare("volume", await volumeNames(daemon), names(`${dataRoot}/volumes`)),
		...["snapshots/ingest", "snapshots/removed", "content/ingest"].flatMap((area) =>
			compare(area, [], names(join(dataRoot, area))),
		),
		...compare("tree", [], names(`${execRoot}/trees`)),
		...compare(
			"mount",
			[...expectedMounts(daemon, live), ...sandboxMounts(daemon, sandboxed)],
			mountPoints(daemon).filter((path) => !isOptionalMount(daemon, path, running)),
		),
		...compare("cgroup", live, cgroupNames(cgroupParent)),
		...compare("process", live, monitorNames(daemon, await processLines())),
		...(await auditNetwork(daemon, bridged)),
		...running.flatMap(({ Name, State }) =>
			existsSync(`/proc/${State.Pid}`) ? [] : [`${Name} is said to run as ${State.Pid}, which does not exist`],
		),
		...duplicates(
			"name",
			containers.map(({ Name }) => Name),
		),
	];
}

async function auditNetwork(daemon: TestDaemon, bridged: readonly Inspected[]): Promise<string[]> {
	const addresses = bridged.map(({ NetworkSettings: settings }) => settings.Networks["bridge"]?.IPAddress ?? "");
	const ports = bridged.flatMap(({ NetworkSettings: settings }) =>
		Object.values(settings.Ports).flatMap((bindings) => (bindings ?? []).map(({ HostPort }) => HostPort)),
	);
	const links: { ifname: string }[] = JSON.parse(
		await mustRun(["ip", "-j", "link", "show", "master", daemon.bridge]).catch(() => "[]"),
	);
	const endpoints = names(`${daemon.execRoot}/endpoints`);
	const count = (what: string, found: number) =>
		found === bridged.length ? [] : [`${found} ${what} for ${bridged.length} containers`];
	return [
		...count("links on the bridge", links.length),
		...count("endpoint states", endpoints.length),
		...compare(
			"published address",
			addresses.length === 0 ? [] : [...new Set(addresses)],
			await translated(daemon),
			true,
		),
		...duplicates("address", addresses),
		...compare("published port", [...new Set(ports)], await publishedPorts(daemon)),
	];
}

/** `wanted` and `found` as sets. @param subset more may be wanted than is found */
function compare(what: string, wanted: readonly string[], found: readonly string[], subset = false): string[] {
	const missing = subset
		? []
		: wanted.filter((name) => !found.includes(name)).map((name) => `${what} missing: ${name}`);
	return [...missing, ...found.filter((name) => !wanted.includes(name)).map((name) => `${what} left: ${name}`)];
}

function duplicates(what: string, values: readonly string[]): string[] {
	return values.filter((value, index) => values.indexOf(value) !== index).map((value) => `${what} twice: ${value}`);
}

function names(directory: string): string[] {
	return existsSync(directory) ? readdirSync(directory) : [];
}

async function volumeNames(daemon: TestDaemon): Promise<string[]> {
	const { Volumes } = (await (await daemon.api("GET", "/volumes")).json()) as { Volumes: readonly { Name: string }[] };
	return Volumes.map(({ Name }) => Name);
}

function expectedMounts(daemon: TestDaemon, live: readonly string[]): string[] {
	return live.map((id) => `${daemon.dataRoot}/snapshots/containers/${id}/merged`);
}

/** Of an image that is mounted into a container, too. */
function ownerOf(snapshot: string): string {
	return snapshot.replace(/-image-\d+$/, "");
}

/** What a running container may have mounted besides its root: images, parts of volumes and binds apart, volumes with options. */
function isOptionalMount({ dataRoot, execRoot }: TestDaemon, path: string, running: readonly Inspected[]): boolean {
	const [, snapshot = ""] =
		new RegExp(`^${dataRoot}/snapshots/containers/([0-9a-f]+-image-\\d+)/merged$`).exec(path) ?? [];
	const [, holder = ""] = new RegExp(`^${execRoot}/subpaths/([^/]+)/`).exec(path) ?? [];
	return running.some(
		({ Id, Mounts }) =>
			ownerOf(snapshot) === Id ||
			holder === Id ||
			Mounts.some(({ Type, Source }) => Type === "volume" && Source === path),
	);
}

function sandboxMounts(daemon: TestDaemon, sandboxed: readonly Inspected[]): string[] {
	return sandboxed.map(({ Id }) => `${daemon.execRoot}/netns/${Id}`);
}

function mountPoints(daemon: TestDaemon): string[] {
	return readMounts()
		.map((line) => line.split(" ")[1] ?? "")
		.filter((path) => path.startsWith(`${daemon.directory}/`) && !path.endsWith("/shm") && path !== daemon.dataRoot);
}

/** Of every hierarchy. */
function cgroupNames(parent: string): string[] {
	const found = names("/sys/fs/cgroup").flatMap((hierarchy) => {
		const path = join("/sys/fs/cgroup", hierarchy, parent);
		return existsSync(path)
			? readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
			: [];
	});
	return [...new Set(found)];
}

async function processLines(): Promise<string[]> {
	return (await mustRun(["ps", "-eo", "args"])).split("\n");
}

function monitorNames(daemon: TestDaemon, lines: readonly string[]): string[] {
	return lines.flatMap((line) => {
		const [program = "", directory = ""] = line.split(" ");
		const isOurs = program.endsWith("gantry-shim") && directory.startsWith(`${daemon.execRoot}/shim/`);
		return isOurs ? [directory.slice(`${daemon.execRoot}/shim/`.length)] : [];
	});
}

async function firewallText(daemon: TestDaemon): Promise<string> {
	const tables = (await mustRun(["nft", "list", "tables"])).split("\n");
	const texts = tables
		.map((line) => line.split(" "))
		.filter(([, , name]) => name !== undefined && daemon.isOurs(name))
		.map(([, family = "", name = ""]) => mustRun(["nft", "-n", "list", "table", family, name]));
	return (await Promise.all(texts)).join("\n");
}

/** Container addresses that the firewall sends packets to. */
async function translated(daemon: TestDaemon): Promise<string[]> {
	const subnet = `10.213.${daemon.bridge.replace("gt", "")}.`;
	const found = (await firewallText(daemon)).match(/\d+\.\d+\.\d+\.\d+/g) ?? [];
	return [...new Set(found)].filter((address) => address.startsWith(subnet) && !/\.[01]$/.test(address));
}

async function publishedPorts(daemon: TestDaemon): Promise<string[]> {
	const elements = (await firewallText(daemon)).matchAll(/(?:6|17|tcp|udp) \. (\d+) : /g);
	return [...new Set([...elements].map(([, port]) => port ?? ""))];
}
