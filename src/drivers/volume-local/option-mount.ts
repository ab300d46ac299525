import { ErrnoError, errnoCode, errorMessage, SystemError } from "../../base/errors.ts";
import { unmountInBackground } from "../linux/background-unmount.ts";
import { errnoText } from "../linux/errno.ts";
import { bindMount, MS, mount, setMountAttributes, setPropagation, unmountAll } from "../linux/mount.ts";
import { mountByProgram } from "../linux/mount-program.ts";
import { flagsOf, type OptionMount, withoutPassword } from "./mount-options.ts";

/** File systems that are there at once, without a device or a server that could keep the daemon waiting. */
const QUICK_TYPES = ["tmpfs", "ramfs", "overlay"];
/** Attributes that a bind has for itself: with mount(2) they would have to be set by a second call. */
const BIND_ATTRIBUTES = MS.NOSUID | MS.NODEV | MS.NOEXEC | MS.NOATIME;

/** Makes the mount of a volume with options. Nothing is left when it fails. @throws Error that says what was mounted where */
export async function mountOption(settled: OptionMount, target: string): Promise<void> {
	try {
		if ((settled.flags & MS.BIND) !== 0) mountBind(settled, target);
		else if (isQuick(settled) || !(await mountByProgram({ ...settled, options: settled.words }, target)))
			mount(settled.device, target, settled.type, settled.flags, settled.data);
		for (const { kind, recursive } of settled.propagation) setPropagation(target, kind, recursive);
	} catch (cause) {
		unmountAll(target);
		const { device, flags, data } = settled;
		const options = data === "" ? "" : `, data: ${withoutPassword(data)}`;
		throw new SystemError(`mount ${device}:${target}, flags: 0x${flags.toString(16)}${options}: ${reasonOf(cause)}`, {
			cause,
		});
	}
}

/** Writing out what was written to a disk or a server takes time. Nothing mounted is success. */
export async function unmountOption(target: string, { isQuick }: { readonly isQuick: boolean }): Promise<void> {
	if (isQuick) unmountAll(target);
	else await unmountInBackground(target);
}

export function isQuickMount({ type = "", o = "" }: Readonly<Record<string, string>>): boolean {
	return isQuick({ type, flags: flagsOf(o) });
}

function isQuick({ type, flags }: Pick<OptionMount, "type" | "flags">): boolean {
	return (flags & MS.BIND) !== 0 || QUICK_TYPES.includes(type);
}

function mountBind({ device, flags }: OptionMount, target: string): void {
	const recursive = (flags & MS.REC) !== 0;
	bindMount(device, target, { recursive, readOnly: (flags & MS.RDONLY) !== 0 });
	if ((flags & BIND_ATTRIBUTES) === 0) return;
	setMountAttributes(target, {
		noSuid: (flags & MS.NOSUID) !== 0,
		noDev: (flags & MS.NODEV) !== 0,
		noExec: (flags & MS.NOEXEC) !== 0,
		noAtime: (flags & MS.NOATIME) !== 0,
	});
}

/** In the `local` driver's words. */
export function mountFailure(target: string, cause: unknown): SystemError {
	return new SystemError(`error while mounting volume '${target}': failed to mount local volume: ${reasonOf(cause)}`);
}

function reasonOf(cause: unknown): string {
	const code = errnoCode(cause);
	return cause instanceof ErrnoError && code !== undefined ? errnoText(code) : errorMessage(cause);
}
