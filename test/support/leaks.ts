/** What a container engine can leave behind on a machine, as sorted lists of text that can be compared. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "./commands.ts";

export interface MachineSnapshot {
	readonly mounts: readonly string[];
	/** Links of the host's network namespace: name, and master where there is one. */
	readonly links: readonly string[];
	readonly firewall: readonly string[];
	readonly cgroups: readonly string[];
	/** Command lines of monitors and OCI runtimes. */
	readonly processes: readonly string[];
	/** Namespace files bound anywhere. */
	readonly namespaces: readonly string[];
}

/** Which entries to look at, e.g. those that carry a test's directory or bridge name. All by default. */
export type SnapshotFilter = (entry: string) => boolean;

export async function takeSnapshot(isOurs: SnapshotFilter = () => true): Promise<MachineSnapshot> {
	const [links, firewall] = await Promise.all([readLinks(), readFirewall()]);
	const mounts = readMounts();
	const pick = (entries: readonly string[]) => entries.filter(isOurs).sort();
	return {
		mounts: pick(mounts.filter((line) => !line.startsWith("nsfs "))),
		namespaces: pick(mounts.filter((line) => line.startsWith("nsfs "))),
		links: pick(links),
		firewall: pick(firewall),
		cgroups: pick(readCgroups()),
		processes: pick(readProcesses()),
	};
}

/** What is in `after` more often than in `before`, as `kind: entry`. */
export function newEntries(before: MachineSnapshot, after: MachineSnapshot): string[] {
	const kinds = ["mounts", "namespaces", "links", "firewall", "cgroups", "processes"] as const;
	return kinds.flatMap((kind) => {
		const known = new Map<string, number>();
		for (const entry of before[kind]) known.set(entry, (known.get(entry) ?? 0) + 1);
		return after[kind].flatMap((entry) => {
			const left = known.get(entry) ?? 0;
			known.set(entry, left - 1);
			return left > 0 ? [] : [`${kind}: ${entry}`];
		});
	});
}

/**
 * Waits until nothing is there that was not there before: clean-up may end shortly after the answer.
 * @throws Error listing what stayed after `timeoutMs`.
 */
export async function expectNoLeaks(
	before: MachineSnapshot,
	{ isOurs, timeoutMs = 5_000 }: { isOurs?: SnapshotFilter; timeoutMs?: number } = {},
): Promise<void> {
	const deadline = Date.now() + timeoutMs;
	for (;;) {
		const left = newEntries(before, await takeSnapshot(isOurs));
		if (left.length === 0) return;
		if (Date.now() > deadline) throw new Error(`Left behind:\n${left.join("\n")}`);
		await Bun.sleep(100);
	}
}

/** `<type> <mount point> <source>` of every mount in this mount namespace. */
export function readMounts(): string[] {
	return readFileSync("/proc/self/mountinfo", "utf8")
		.trimEnd()
		.split("\n")
		.map((line) => {
			const [before = "", after = ""] = line.split(" - ");
			const [type, source] = after.split(" ");
			return `${type} ${before.split(" ")[4]} ${source}`;
		});
}

async function readLinks(): Promise<string[]> {
	const links: { ifname: string; master?: string }[] = JSON.parse(await mustRun(["ip", "-j", "link", "show"]));
	return links.map(({ ifname, master }) => (master === undefined ? ifname : `${ifname} master ${master}`));
}

/** One entry for each line, with the table it belongs to; without counters. */
async function readFirewall(): Promise<string[]> {
	let table = "";
	return (await mustRun(["nft", "-s", "list", "ruleset"])).split("\n").flatMap((line) => {
		if (line.startsWith("table ")) table = line.replace(/ \{.*$/, "");
		const text = line.trim();
		return text === "" || text === "}" ? [] : [`${table}: ${text}`];
	});
}

function readCgroups(): string[] {
	const found: string[] = [];
	const visit = (directory: string, depth: number) => {
		for (const name of subdirectories(directory)) {
			const path = join(directory, name);
			found.push(path);
			if (depth > 0) visit(path, depth - 1);
		}
	};
	visit("/sys/fs/cgroup", 6);
	return found;
}

function subdirectories(directory: string): string[] {
	try {
		return readdirSync(directory, { withFileTypes: true })
			.filter((entry) => entry.isDirectory())
			.map((entry) => entry.name);
	} catch {
		return []; // the cgroup was removed meanwhile (ENOENT, ENODEV)
	}
}

function readProcesses(): string[] {
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.flatMap((name) => {
			try {
				const argv = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
				return /\/?(gantry-shim|crun|runc)$/.test(argv[0] ?? "") ? [argv.join(" ").trim()] : [];
			} catch {
				return []; // the process ended meanwhile
			}
		});
}
