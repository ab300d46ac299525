/**
 * Mounts. Binds and file systems use the new mount API (Linux ≥ 5.2), which builds the mount detached: it appears at its target
 * complete or not at all.
 * Paths are resolved by the kernel as given: never pass one a container controls; open it below its root first
 * (`RootDirectory`) and use `/proc/self/fd/<n>`.
 */
import { errnoCode } from "../../base/errors.ts";
import { AT_FDCWD, check, cString, libc, type PathLike, syscall } from "./libc.ts";
import { mountsUnder, readMountInfo } from "./mountinfo.ts";

const SYS_OPEN_TREE = 428;
const SYS_MOVE_MOUNT = 429;
const SYS_FSOPEN = 430;
const SYS_FSCONFIG = 431;
const SYS_FSMOUNT = 432;
const SYS_MOUNT_SETATTR = 442;

/** mount(2) flags. */
export const MS = {
	RDONLY: 0x1,
	NOSUID: 0x2,
	NODEV: 0x4,
	NOEXEC: 0x8,
	REMOUNT: 0x20,
	NOATIME: 0x400,
	BIND: 0x1000,
	MOVE: 0x2000,
	REC: 0x4000,
	UNBINDABLE: 0x20000,
	PRIVATE: 0x40000,
	SLAVE: 0x80000,
	SHARED: 0x100000,
	RELATIME: 0x200000,
	STRICTATIME: 0x1000000,
} as const;

const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOVE_MOUNT_T_SYMLINKS = 0x10;
const OPEN_TREE_CLONE = 1;
const AT_RECURSIVE = 0x8000;
const AT_EMPTY_PATH = 0x1000;
const O_CLOEXEC = 0o2000000;

/** Mount attributes for fsmount(2) and mount_setattr(2). */
const MOUNT_ATTR = { RDONLY: 0x1, NOSUID: 0x2, NODEV: 0x4, NOEXEC: 0x8, NOATIME: 0x10, NODIRATIME: 0x80 } as const;
const MOUNT_ATTR_IDMAP = 0x100000;

export interface MountAttributes {
	readonly readOnly?: boolean;
	readonly noSuid?: boolean;
	readonly noDev?: boolean;
	readonly noExec?: boolean;
	readonly noAtime?: boolean;
}

export type Propagation = "private" | "slave" | "shared" | "unbindable";

const PROPAGATION_FLAG = {
	private: MS.PRIVATE,
	slave: MS.SLAVE,
	shared: MS.SHARED,
	unbindable: MS.UNBINDABLE,
} as const;

/** Plain mount(2). @throws ErrnoError */
export function mount(source: string, target: PathLike, fsType: string | null, flags: number, data?: string): void {
	check(
		libc.mount(
			cString(source),
			cString(target),
			fsType === null ? null : cString(fsType),
			flags,
			data === undefined ? null : cString(data),
		),
		"mount",
		target,
	);
}

/** umount2(2) without following a symlink at the end. @throws ErrnoError EINVAL when nothing is mounted there. */
export function unmount(target: PathLike, options: { readonly detach?: boolean } = {}): void {
	check(libc.umount2(cString(target), UMOUNT_NOFOLLOW | (options.detach === true ? MNT_DETACH : 0)), "umount2", target);
}

/** Unmounts what is there, lazily, however often it was mounted over; nothing mounted or no such path is success. */
export function unmountAll(target: string): void {
	for (;;) {
		try {
			unmount(target, { detach: true });
		} catch (error) {
			const code = errnoCode(error);
			if (code === "EINVAL" || code === "ENOENT") return;
			throw error;
		}
	}
}

/** Detaches every mount at or below `directory`, deepest first. */
export function unmountTree(directory: string): void {
	for (const entry of mountsUnder(readMountInfo(), directory)) unmountAll(entry.mountPoint);
}

/** A new tmpfs (or other file system without a device). `options` as in mount(8)'s -o, e.g. `["size=64m", "mode=1777"]`. */
export function mountFileSystem(
	fsType: string,
	target: string,
	options: readonly string[] = [],
	attributes: MountAttributes = {},
): void {
	const context = new FileSystemContext(fsType);
	try {
		context.set("source", fsType);
		for (const option of options) context.option(option);
		context.mountAt(target, attributes);
	} finally {
		context.close();
	}
}

export interface BindOptions {
	/** Also what is mounted below the source. */
	readonly recursive?: boolean;
	readonly readOnly?: boolean;
	/** Read-only reaches the mounts below the source too. Needs Linux ≥ 5.12, else ENOSYS. */
	readonly readOnlyRecursive?: boolean;
	readonly propagation?: Propagation;
	/** Descriptor of a user namespace whose map says to whom files belong; of the source's own mount, not of those below it. */
	readonly idMapNamespace?: number;
}

/** Bind mount; read-only and propagation are set before it becomes visible. @throws ErrnoError */
export function bindMount(source: string, target: string, options: BindOptions = {}): void {
	const recursive = options.recursive === true;
	const flags = OPEN_TREE_CLONE | O_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
	const tree = syscall("open_tree", SYS_OPEN_TREE, source, AT_FDCWD, cString(source), flags);
	try {
		const readOnly = options.readOnly === true || options.readOnlyRecursive === true;
		if (readOnly) setTreeAttributes(tree, { readOnly: true }, options.readOnlyRecursive === true);
		if (options.propagation !== undefined) setTreePropagation(tree, options.propagation, recursive);
		if (options.idMapNamespace !== undefined) mapTreeIds(tree, options.idMapNamespace, source);
		moveMount(tree, target);
	} finally {
		libc.close(tree);
	}
}

/** Changes attributes of what is mounted at `target`, all mounts below included when `recursive`. */
export function setMountAttributes(target: string, attributes: MountAttributes, recursive = false): void {
	mountSetAttributes(AT_FDCWD, target, attributeBits(attributes), 0, recursive);
}

export function setPropagation(target: string, propagation: Propagation, recursive = false): void {
	mount("none", target, null, PROPAGATION_FLAG[propagation] | (recursive ? MS.REC : 0));
}

function setTreeAttributes(tree: number, attributes: MountAttributes, recursive: boolean): void {
	mountSetAttributes(tree, "", attributeBits(attributes), 0, recursive);
}

function setTreePropagation(tree: number, propagation: Propagation, recursive: boolean): void {
	mountSetAttributes(tree, "", 0, PROPAGATION_FLAG[propagation], recursive);
}

/** @throws ErrnoError EINVAL where the file system cannot, EPERM for a mount that is mapped already */
function mapTreeIds(tree: number, namespace: number, source: string): void {
	const attributes = new BigUint64Array([BigInt(MOUNT_ATTR_IDMAP), 0n, 0n, BigInt(namespace)]);
	const { byteLength } = attributes;
	syscall("mount_setattr", SYS_MOUNT_SETATTR, source, tree, cString(""), AT_EMPTY_PATH, attributes, byteLength);
}

/** struct mount_attr: attr_set, attr_clr, propagation, userns_fd; four 64-bit words. */
function mountSetAttributes(dirfd: number, path: string, set: number, propagation: number, recursive: boolean): void {
	const attributes = new BigUint64Array([BigInt(set), 0n, BigInt(propagation), 0n]);
	const flags = (path === "" ? AT_EMPTY_PATH : 0) | (recursive ? AT_RECURSIVE : 0);
	syscall("mount_setattr", SYS_MOUNT_SETATTR, path, dirfd, cString(path), flags, attributes, attributes.byteLength);
}

function attributeBits(attributes: MountAttributes): number {
	return (
		(attributes.readOnly === true ? MOUNT_ATTR.RDONLY : 0) |
		(attributes.noSuid === true ? MOUNT_ATTR.NOSUID : 0) |
		(attributes.noDev === true ? MOUNT_ATTR.NODEV : 0) |
		(attributes.noExec === true ? MOUNT_ATTR.NOEXEC : 0) |
		(attributes.noAtime === true ? MOUNT_ATTR.NOATIME : 0)
	);
}

/** Links in the target are followed, as mount(2) does: `/proc/self/fd/<n>` is one. */
function moveMount(fd: number, target: string): void {
	const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS;
	syscall("move_mount", SYS_MOVE_MOUNT, target, fd, cString(""), AT_FDCWD, cString(target), flags);
}

/** One fsopen(2) context: options are given one by one, then the file system is made and mounted. */
export class FileSystemContext {
	readonly #fd: number;

	constructor(readonly fsType: string) {
		this.#fd = syscall("fsopen", SYS_FSOPEN, fsType, cString(fsType), 1);
	}

	set(name: string, value: string): void {
		this.#configure(FSCONFIG_SET_STRING, name, value);
	}

	/** `name` or `name=value`. */
	option(text: string): void {
		const at = text.indexOf("=");
		if (at < 0) this.#configure(FSCONFIG_SET_FLAG, text, null);
		else this.set(text.slice(0, at), text.slice(at + 1));
	}

	mountAt(target: string, attributes: MountAttributes): void {
		this.#configure(FSCONFIG_CMD_CREATE, null, null);
		const fd = syscall("fsmount", SYS_FSMOUNT, this.fsType, this.#fd, 1, attributeBits(attributes));
		try {
			moveMount(fd, target);
		} finally {
			libc.close(fd);
		}
	}

	close(): void {
		libc.close(this.#fd);
	}

	#configure(command: number, name: string | null, value: string | null): void {
		const key = name === null ? null : cString(name);
		try {
			const text = value === null ? null : cString(value);
			syscall("fsconfig", SYS_FSCONFIG, name ?? "create", this.#fd, command, key, text, 0);
		} catch (error) {
			const said = this.#kernelMessages();
			if (error instanceof Error && said !== "") error.message = `${error.message} (${said})`;
			throw error;
		}
	}

	/** The context's file gives the kernel's complaints, one per read: `e overlay: …`. */
	#kernelMessages(): string {
		const buffer = new Uint8Array(1024);
		const messages: string[] = [];
		for (;;) {
			const length = Number(libc.read(this.#fd, buffer, buffer.length));
			if (length <= 0) return messages.join("; ");
			messages.push(
				Buffer.from(buffer.subarray(0, length))
					.toString()
					.trim()
					.replace(/^[ewi] /, ""),
			);
		}
	}
}
