/** Mounts of a running container that are the kernel's or the OCI runtime's, not files somebody would want a copy of. */
import { encodePath } from "../../core/diff/path-text.ts";
import type { FileStatus } from "../linux/file-status.ts";
import type { RootDirectory } from "../linux/root-directory.ts";

/** statfs(2) types, linux/magic.h. Reading all of such a tree fails somewhere, never ends or has effects. */
const KERNEL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
	0x9fa0, // proc
	0x62656572, // sysfs
	0x27e0eb, // cgroup
	0x63677270, // cgroup2
	0x1cd1, // devpts
	0x19800202, // mqueue
	0x64626720, // debugfs
	0x74726163, // tracefs
	0x73636673, // securityfs
	0x62656570, // configfs
	0xcafe4a11, // bpf
	0x6165676c, // pstore
]);

/** @param path inside the root, with or without the leading slash */
export function isKernelMount(root: RootDirectory, path: string, status: FileStatus): boolean {
	if (!status.isMountPoint) return false;
	const clean = path.replace(/^\/+|\/+$/g, "");
	// The device nodes there are on a tmpfs like any other.
	if (clean === "dev") return true;
	return KERNEL_FILE_SYSTEMS.has(root.fileSystemType(encodePath(clean === "" ? "." : clean)));
}
