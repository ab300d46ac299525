/** Mounts that may take long (a server that does not answer, a journal to replay), off the main thread: by mount(8). */
import { writeSync } from "node:fs";
import { errnoCode, SystemError } from "../../base/errors.ts";
import { closeDescriptor, openMemoryFile } from "./file-descriptors.ts";

export interface ProgramMount {
	readonly type: string;
	readonly device: string;
	/** Comma-separated words of mount(8), flags and options of the file system alike. */
	readonly options: string;
}

/**
 * What is to be mounted stands in an fstab in memory: options may hold passwords, and anyone may read command lines. Helpers such as
 * mount.nfs are left out: what is passed is what mount(2) takes.
 * @returns false when there is no such program
 * @throws SystemError with its reason
 */
export async function mountByProgram(request: ProgramMount, target: string): Promise<boolean> {
	const fstab = openFstab(request, target);
	try {
		const path = `/proc/${process.pid}/fd/${fstab}`;
		const child = Bun.spawn(
			["mount", "--internal-only", "--no-mtab", "--no-canonicalize", "--fstab", path, "--target", target],
			{ stdin: "ignore", stdout: "ignore", stderr: "pipe", env: { ...process.env, LC_ALL: "C" } },
		);
		const [message, status] = await Promise.all([new Response(child.stderr).text(), child.exited]);
		if (status !== 0) throw new SystemError(reasonOf(message, target));
		return true;
	} catch (error) {
		if (errnoCode(error) === "ENOENT") return false;
		throw error;
	} finally {
		closeDescriptor(fstab);
	}
}

function openFstab({ device, type, options }: ProgramMount, target: string): number {
	const fields = [device, target, type, options === "" ? "defaults" : options, "0", "0"];
	const fd = openMemoryFile("fstab");
	writeSync(fd, `${fields.map(escapeField).join(" ")}\n`);
	return fd;
}

/** fstab(5): blanks, newlines and backslashes are octal. */
function escapeField(text: string): string {
	return text.replace(/[\s\\#]/g, (character) => `\\${(character.codePointAt(0) ?? 0).toString(8).padStart(3, "0")}`);
}

/** `mount: <target>: <reason>.` and hints on further lines. */
function reasonOf(message: string, target: string): string {
	const [first = ""] = message.trim().split("\n");
	const reason = first
		.replace(/^mount: /, "")
		.replace(`${target}: `, "")
		.replace(/^(?:mount\(2\)|fsconfig\(\)|fsmount\(\)|move_mount\(\)|fsopen\(\)) (?:system call )?failed: /, "")
		.replace(/\.$/, "");
	return /^unknown filesystem type/.test(reason) ? `no such device (${reason})` : reason || "mount failed";
}
