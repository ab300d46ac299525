import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, realpathSync, rmdirSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoCode, errorMessage, invariant, NotFoundError, SystemError } from "../../base/errors.ts";
import type { HostDevice } from "../../core/container/device.ts";
import type {
	ContainerHostFiles,
	ContainerPaths,
	NetworkFiles,
	TreeMount,
	TreeRoot,
} from "../../core/container/host-files.ts";
import type { IdMap } from "../../core/container/id-map.ts";
import {
	type BindOptions,
	bindMount,
	unmountTree as detachTree,
	mountFileSystem,
	setMountAttributes,
	setPropagation,
	unmountAll,
} from "../linux/mount.ts";
import { isMountPoint, mountOf, readMountInfo } from "../linux/mountinfo.ts";
import { openUserNamespace } from "../linux/user-namespace.ts";
import { allDevices, devicesAt } from "./host-devices.ts";
import { ensureDirectory, openMountPoint, openSubpath, readAccounts, readHostText } from "./rooted-files.ts";

const NETWORK_FILE_LIMIT_BYTES = 4 * 1024 ** 2;

/**
 * ```
 * <data-root>/containers/<id>/   hosts hostname resolv.conf, logs
 * <exec-root>/bundles/<id>/      config.json, shm/ of a `shareable` container
 * <exec-root>/trees/<id>-<hex>/  views of stopped containers while someone copies
 * <exec-root>/subpaths/<id>/<n>  parts of volumes and ID-mapped mounts, for a container or a copy
 * ```
 */
export class LocalContainerFiles implements ContainerHostFiles {
	readonly #containers: string;
	readonly #bundles: string;
	readonly #trees: string;
	readonly #subpaths: string;

	constructor(roots: { readonly dataRoot: string; readonly execRoot: string }) {
		this.#containers = join(roots.dataRoot, "containers");
		this.#bundles = join(roots.execRoot, "bundles");
		this.#trees = join(roots.execRoot, "trees");
		this.#subpaths = join(roots.execRoot, "subpaths");
		mkdirSync(this.#containers, { recursive: true, mode: 0o710 });
		mkdirSync(this.#bundles, { recursive: true, mode: 0o700 });
		mkdirSync(this.#trees, { recursive: true, mode: 0o700 });
		mkdirSync(this.#subpaths, { recursive: true, mode: 0o700 });
	}

	paths(id: string): ContainerPaths {
		const directory = join(this.#containers, id);
		const bundle = join(this.#bundles, id);
		return {
			directory,
			hosts: `${directory}/hosts`,
			hostname: `${directory}/hostname`,
			resolvConf: `${directory}/resolv.conf`,
			bundle,
			sharedMemory: `${bundle}/shm`,
		};
	}

	createDirectory(id: string): void {
		makeDirectory(this.paths(id).directory);
	}

	writeNetworkFiles(id: string, files: NetworkFiles): void {
		const paths = this.paths(id);
		translated("cannot write the container's network files", () => {
			// In place: a container that shares this one's network has these very files mounted.
			writeFileSync(paths.hosts, files.hosts, { mode: 0o644 });
			writeFileSync(paths.hostname, files.hostname, { mode: 0o644 });
			writeFileSync(paths.resolvConf, files.resolvConf, { mode: 0o644 });
		});
	}

	editNetworkFile(id: string, file: keyof NetworkFiles, edit: (text: string) => string): void {
		const path = this.paths(id)[file];
		translated("cannot change the container's network files", () => {
			// The container can write to it, and must not make us read without end.
			if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > NETWORK_FILE_LIMIT_BYTES) return;
			const before = readHostText(path) ?? "";
			const after = edit(before);
			if (after !== before) writeFileSync(path, after, { mode: 0o644 });
		});
	}

	writeBundle(id: string, config: unknown): string {
		const { bundle } = this.paths(id);
		makeDirectory(bundle);
		translated("cannot write the container's bundle", () =>
			writeFileSync(`${bundle}/config.json`, JSON.stringify(config), { mode: 0o600 }),
		);
		return bundle;
	}

	removeBundle(id: string): void {
		const { bundle, sharedMemory } = this.paths(id);
		if (exists(sharedMemory)) detachTree(sharedMemory);
		translated("cannot remove the container's bundle", () => rmSync(guarded(bundle), { recursive: true, force: true }));
	}

	async removeDirectory(id: string): Promise<void> {
		try {
			await rm(guarded(this.paths(id).directory), { recursive: true, force: true });
		} catch (cause) {
			throw new SystemError(`cannot remove the container's directory: ${errorMessage(cause)}`, { cause });
		}
	}

	mountSharedMemory(id: string, sizeBytes: number): string {
		const { sharedMemory } = this.paths(id);
		makeDirectory(sharedMemory);
		if (isMountPoint(sharedMemory)) return sharedMemory;
		const size = sizeBytes > 0 ? [`size=${sizeBytes}`] : [];
		translated("cannot mount the container's shared memory", () =>
			mountFileSystem("tmpfs", sharedMemory, [...size, "mode=1777"], { noSuid: true, noDev: true, noExec: true }),
		);
		return sharedMemory;
	}

	readAccounts(root: string): { readonly passwd: string; readonly group: string } {
		return readAccounts(root);
	}

	ensureDirectory(root: string, path: string): void {
		ensureDirectory(root, path);
	}

	kindOf(path: string): "file" | "directory" | undefined {
		try {
			return statSync(path).isDirectory() ? "directory" : "file";
		} catch (cause) {
			const code = errnoCode(cause);
			if (code === "ENOENT" || code === "ENOTDIR") return undefined;
			throw new SystemError(`error while looking for mount source path '${path}': ${errorMessage(cause)}`, { cause });
		}
	}

	realPath(path: string): string {
		try {
			return realpathSync(path);
		} catch (cause) {
			throw new NotFoundError(`${path}: ${errorMessage(cause)}`, { cause });
		}
	}

	createBindSource(path: string): void {
		try {
			mkdirSync(path, { recursive: true, mode: 0o755 });
		} catch (cause) {
			throw new SystemError(`error while creating mount source path '${path}': ${errorMessage(cause)}`, { cause });
		}
	}

	mountSubpath(holder: string, root: string, subpath: string): string {
		using source = openSubpath(root, subpath);
		return this.#mountAt(holder, source, `cannot mount ${subpath} of the volume`, { recursive: true });
	}

	/** Never recursively: this daemon's own mounts may lie below the source, and would be busy here for good. */
	async mountApart(holder: string, path: string, idMap: IdMap | undefined): Promise<string> {
		const source = { path, isDirectory: this.kindOf(path) === "directory" };
		if (idMap === undefined) return this.#mountAt(holder, source, `cannot mount ${path}`, {});
		using namespace = await openUserNamespace(idMap);
		const what = `cannot mount ${path} with an idmap (file systems that can: ext4, xfs, btrfs, tmpfs, …)`;
		return this.#mountAt(holder, source, what, { idMapNamespace: namespace.fd });
	}

	#mountAt(
		holder: string,
		source: { readonly path: string; readonly isDirectory: boolean },
		what: string,
		options: BindOptions,
	): string {
		const directory = join(this.#subpaths, holder);
		makeDirectory(directory);
		const point = join(directory, String(readdirSync(directory).length));
		translated(what, () => {
			if (source.isDirectory) mkdirSync(point);
			else writeFileSync(point, "");
			bindMount(source.path, point, options);
		});
		return point;
	}

	releaseSubpaths(holder: string): void {
		const directory = join(this.#subpaths, holder);
		if (!exists(directory)) return;
		translated("cannot unmount a part of a volume", () => {
			for (const name of readdirSync(directory)) {
				const point = join(directory, name);
				unmountAll(point);
				// Never recursively: what is mounted there belongs to the volume.
				if (statSync(point).isDirectory()) rmdirSync(point);
				else unlinkSync(point);
			}
			rmdirSync(directory);
		});
	}

	devices(path: string): HostDevice[] {
		return devicesAt(path);
	}

	allDevices(): HostDevice[] {
		return allDevices();
	}

	/** The stub of systemd-resolved is of no use in another network namespace; its upstream file is. */
	hostResolvConf(): string {
		const text = readHostText("/etc/resolv.conf") ?? "";
		const isStub = /^nameserver\s+127\.0\.0\.53\s*$/m.test(text) && text.match(/^nameserver/gm)?.length === 1;
		return (isStub ? readHostText("/run/systemd/resolve/resolv.conf") : undefined) ?? text;
	}

	hostHosts(): string {
		return readHostText("/etc/hosts") ?? "";
	}

	propagationOf(path: string): { readonly mountPoint: string; readonly shared: boolean; readonly slave: boolean } {
		const entry = mountOf(readMountInfo(), realpathSync(path));
		return {
			mountPoint: entry?.mountPoint ?? "/",
			shared: entry?.propagation.shared !== undefined,
			slave: entry?.propagation.master !== undefined,
		};
	}

	async mountTree(id: string, root: TreeRoot, mounts: readonly TreeMount[]): Promise<string> {
		const tree = join(this.#trees, `${id}-${randomBytes(4).toString("hex")}`);
		makeDirectory(tree);
		try {
			bindMount(root.path, tree, { recursive: true });
			setPropagation(tree, "private", true);
			for (const mount of [...mounts].sort((a, b) => depth(a.target) - depth(b.target))) this.#mountInto(tree, mount);
			if (root.readOnly) setMountAttributes(tree, { readOnly: true });
			return tree;
		} catch (cause) {
			await this.unmountTree(tree);
			throw new SystemError(`cannot mount the container's file systems: ${errorMessage(cause)}`, { cause });
		}
	}

	async unmountTree(path: string): Promise<void> {
		invariant(path.startsWith(`${this.#trees}/`), "only a temporary tree is unmounted");
		detachTree(path);
		rmdirSync(path);
	}

	async cleanUp(keep: {
		readonly containers: ReadonlySet<string>;
		readonly running: ReadonlySet<string>;
	}): Promise<void> {
		for (const name of readdirSync(this.#trees)) await this.unmountTree(join(this.#trees, name));
		for (const holder of readdirSync(this.#subpaths)) if (!keep.running.has(holder)) this.releaseSubpaths(holder);
		for (const id of readdirSync(this.#bundles)) if (!keep.running.has(id)) this.removeBundle(id);
		for (const id of await readdir(this.#containers)) if (!keep.containers.has(id)) await this.removeDirectory(id);
	}

	#mountInto(tree: string, mount: TreeMount): void {
		using point = openMountPoint(tree, mount.target, this.kindOf(mount.source) ?? "directory");
		bindMount(mount.source, point.path, { recursive: true, readOnly: mount.readOnly, propagation: "private" });
	}
}

function makeDirectory(path: string): void {
	translated(`cannot make directory ${path}`, () => mkdirSync(path, { recursive: true, mode: 0o710 }));
}

function translated(what: string, work: () => void): void {
	try {
		work();
	} catch (cause) {
		throw new SystemError(`${what}: ${errorMessage(cause)}`, { cause });
	}
}

function exists(path: string): boolean {
	return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Nothing but a container's own directory is ever deleted with all that is in it. */
function guarded(path: string): string {
	invariant(
		/\/(containers|bundles)\/[^/]+$/.test(path) && !path.includes("/../"),
		`${path} is no container's directory`,
	);
	return path;
}

function depth(path: string): number {
	return path.split("/").length;
}
