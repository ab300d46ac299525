import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cleanMemberName } from "../../../core/diff/archive-path.ts";
import { TarReader } from "../../../core/diff/tar-reader.ts";
import { aptGet } from "./host-package.ts";

export interface BusyboxProgram {
	readonly bytes: Uint8Array;
	readonly applets: readonly string[];
}

const PACKAGE = "busybox-static";

/**
 * Debian's static busybox: this machine's, or out of the package when it is not installed.
 * @throws Error that says what to install
 */
export async function busyboxProgram(report: (text: string) => Promise<void> | void): Promise<BusyboxProgram> {
	for (const path of ["/bin/busybox", "/usr/bin/busybox"]) {
		const bytes = existsSync(path) ? readFileSync(path) : undefined;
		if (bytes !== undefined && isStatic(bytes)) return { bytes, applets: appletsOf(path) };
	}
	if (Bun.which("apt-get") === null)
		throw new Error(`No static busybox on this machine, and no apt-get: install ${PACKAGE}`);
	await report(`busybox: downloading the package ${PACKAGE}`);
	return await downloaded();
}

async function downloaded(): Promise<BusyboxProgram> {
	const directory = mkdtempSync(join(tmpdir(), "gantry-busybox-"));
	try {
		let result = await aptGet(["download", PACKAGE], directory);
		if (result.code !== 0 && (await aptGet(["update"])).code === 0)
			result = await aptGet(["download", PACKAGE], directory);
		const name = readdirSync(directory).find((each) => each.endsWith(".deb"));
		if (name === undefined)
			throw new Error(`${PACKAGE} cannot be downloaded: ${result.text.trim().split("\n").at(-1)}`);
		const unpacked = Bun.spawnSync(["dpkg-deb", "--fsys-tarfile", join(directory, name)]);
		if (!unpacked.success) throw new Error(`${name} cannot be unpacked: ${unpacked.stderr.toString().trim()}`);
		const bytes = fileOf(unpacked.stdout, /^(?:usr\/)?bin\/busybox$/);
		const path = join(directory, "busybox");
		writeFileSync(path, bytes, { mode: 0o755 });
		return { bytes, applets: appletsOf(path) };
	} finally {
		rmSync(directory, { recursive: true });
	}
}

const PT_INTERP = 3;

/** Whether a 64-bit little-endian ELF program needs no loader: a dynamic one would find no libraries in the image. */
function isStatic(program: Buffer): boolean {
	const [offset, size, count] = [
		Number(program.readBigUInt64LE(32)),
		program.readUInt16LE(54),
		program.readUInt16LE(56),
	];
	return !Array.from({ length: count }).some((_, index) => program.readUInt32LE(offset + index * size) === PT_INTERP);
}

function appletsOf(path: string): string[] {
	const listed = Bun.spawnSync([path, "--list"]);
	if (!listed.success) throw new Error(`${path} --list failed: ${listed.stderr.toString().trim()}`);
	return listed.stdout.toString().trim().split("\n");
}

function fileOf(tar: Uint8Array, name: RegExp): Uint8Array {
	const pieces: Uint8Array[] = [];
	let isWanted = false;
	const reader = new TarReader({
		entry: (entry) => {
			isWanted = entry.type === "file" && name.test(cleanMemberName(entry.name));
		},
		data: (chunk) => {
			if (isWanted) pieces.push(Uint8Array.from(chunk));
		},
		end: () => {},
	});
	reader.push(tar);
	reader.finish();
	if (pieces.length === 0) throw new Error(`the package ${PACKAGE} has no busybox in it`);
	return Buffer.concat(pieces);
}
