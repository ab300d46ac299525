/**
 * Where the cgroup hierarchies are (Documentation/admin-guide/cgroup-v1, cgroup-v2.rst). Three layouts exist: v2 alone at
 * /sys/fs/cgroup; v1, a directory per controller; and hybrid, v1 with an empty v2 tree beside it at `unified`.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errnoCode, errorMessage } from "../../base/errors.ts";
import { mount } from "./mount.ts";
import { type MountEntry, readMountInfo } from "./mountinfo.ts";

/** One mounted hierarchy. */
export interface CgroupHierarchy {
	readonly mountPoint: string;
	/** Which directory of the hierarchy is mounted there: not `/` inside another container. */
	readonly root: string;
}

export interface CgroupLayout {
	readonly version: 1 | 2;
	/** v1 hierarchies by controller (`memory`, `cpu`, …); `name=systemd` is left out. */
	readonly controllers: ReadonlyMap<string, CgroupHierarchy>;
	/** The v2 tree, in hybrid layouts too. */
	readonly unified?: CgroupHierarchy;
	/** Hierarchies without a controller, such as systemd's. */
	readonly named: readonly CgroupHierarchy[];
	/** Controllers the v2 tree has to give. */
	readonly unifiedControllers: ReadonlySet<string>;
}

/** v1 names of what the v2 tree calls otherwise. */
const V1_NAMES: Readonly<Record<string, string>> = { io: "blkio" };

export function readCgroupLayout(entries: readonly MountEntry[] = readMountInfo()): CgroupLayout {
	const controllers = new Map<string, CgroupHierarchy>();
	const named: CgroupHierarchy[] = [];
	let unified: CgroupHierarchy | undefined;
	for (const { fsType, mountPoint, root, superOptions } of entries) {
		if (fsType === "cgroup2") unified ??= { mountPoint, root };
		if (fsType !== "cgroup") continue;
		if (superOptions.some((option) => option.startsWith("name="))) named.push({ mountPoint, root });
		for (const option of superOptions)
			if (isController(option) && !controllers.has(option)) controllers.set(option, { mountPoint, root });
	}
	const unifiedControllers =
		unified === undefined ? [] : words(readOptional(join(unified.mountPoint, "cgroup.controllers")));
	return {
		version: controllers.size > 0 || unified === undefined ? 1 : 2,
		controllers,
		named,
		...(unified !== undefined && { unified }),
		unifiedControllers: new Set(unifiedControllers),
	};
}

const OPTIONS_OF_OTHER_KINDS =
	/^(?:rw|ro|name=.*|release_agent=.*|xattr|noprefix|clone_children|cpuset_v2_mode|none|all)$/;

function isController(option: string): boolean {
	return option !== "" && !OPTIONS_OF_OTHER_KINDS.test(option);
}

/** Paths of a process's cgroups as directories, by controller; the v2 one under "". Undefined when the process is gone. */
export function cgroupsOfProcess(layout: CgroupLayout, pid: number): ReadonlyMap<string, string> | undefined {
	const text = readOptional(`/proc/${pid}/cgroup`);
	if (text === undefined) return undefined;
	const directories = new Map<string, string>();
	for (const line of text.split("\n")) {
		const match = /^\d+:([^:]*):(.*)$/.exec(line);
		if (match === null) continue;
		const [, names = "", path = ""] = match;
		for (const name of names.split(",")) {
			const hierarchy = name === "" ? layout.unified : layout.controllers.get(name);
			if (hierarchy !== undefined) directories.set(name, directoryOf(hierarchy, path));
		}
	}
	return directories;
}

/** Directory of a cgroup given by its path in the hierarchy. */
export function directoryOf(hierarchy: CgroupHierarchy, path: string): string {
	const isBelow = hierarchy.root !== "/" && (path === hierarchy.root || path.startsWith(`${hierarchy.root}/`));
	return join(hierarchy.mountPoint, isBelow ? path.slice(hierarchy.root.length) : path).replace(/\/$/, "");
}

/** Process IDs in a cgroup and all below it. A cgroup that is gone has none. */
export function processesOf(directory: string): number[] {
	const own = words(readOptional(join(directory, "cgroup.procs"))).map(Number);
	return [...own, ...childrenOf(directory).flatMap((child) => processesOf(join(directory, child)))];
}

function childrenOf(directory: string): string[] {
	try {
		return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []));
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return [];
		throw error;
	}
}

/** A first cgroup below the hierarchy's root: some files are in every cgroup but the root. */
export function anyChildOf(directory: string): string | undefined {
	const child = childrenOf(directory)[0];
	return child === undefined ? undefined : join(directory, child);
}

/** What was done about a controller that sits on the v2 side of a hybrid machine. */
export interface HybridRepair {
	readonly controller: string;
	readonly mountPoint: string;
	/** Why it could not be mounted; absent when it was. */
	readonly error?: string;
}

/**
 * crun up to 1.8 refuses hybrid machines whose v2 tree still has a controller to give. Mounting that controller's own v1
 * hierarchy takes it away from there, which the kernel allows as long as nobody uses it. No existing mount is touched.
 * @returns what was tried; empty when nothing was in the way
 */
export function mountUnclaimedControllers(layout: CgroupLayout = readCgroupLayout()): HybridRepair[] {
	const anchor = layout.controllers.values().next().value;
	if (layout.version === 2 || layout.unified === undefined || anchor === undefined) return [];
	if (words(readOptional(join(layout.unified.mountPoint, "cgroup.subtree_control"))).length > 0) return [];
	const parent = dirname(anchor.mountPoint);
	return [...layout.unifiedControllers].map((name) => {
		const controller = V1_NAMES[name] ?? name;
		const mountPoint = join(parent, controller);
		try {
			mkdirSync(mountPoint, { recursive: true });
			mount(controller, mountPoint, "cgroup", 0, controller);
			return { controller, mountPoint };
		} catch (error) {
			return { controller, mountPoint, error: errorMessage(error) };
		}
	});
}

/** Whether crun 1.8 and older would refuse this machine. */
export function isHybridInConflict(layout: CgroupLayout): boolean {
	return layout.version === 1 && layout.unified !== undefined && layout.unifiedControllers.size > 0;
}

export function hasFile(directory: string | undefined, name: string): boolean {
	return directory !== undefined && existsSync(join(directory, name));
}

/** Undefined when the file or its cgroup is not there. */
export function readOptional(path: string): string | undefined {
	try {
		return readFileSync(path, "utf8");
	} catch (error) {
		const code = errnoCode(error);
		// ENODEV: the cgroup went away between open and read. ESRCH: the process did. EOPNOTSUPP: not in this kind of cgroup.
		if (code === "ENOENT" || code === "ENODEV" || code === "ESRCH" || code === "EOPNOTSUPP") return undefined;
		throw error;
	}
}

export function words(text: string | undefined): string[] {
	return text === undefined ? [] : text.split(/\s+/).filter((word) => word !== "");
}
