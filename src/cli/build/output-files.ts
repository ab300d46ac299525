import { mkdir, open, rename, rm } from "node:fs/promises";
import { errnoCode, InvalidParameterError } from "../../base/errors.ts";
import type { SessionStream } from "../../core/build/session/stream.ts";
import type { Output } from "../output.ts";
import type { ParsedOutput } from "./output-options.ts";

/**
 * Writes what the daemon sends to where the output goes. A file appears whole or not at all; a directory's files are written over those
 * that are there.
 * @throws Error
 */
export async function receiveOutput(
	stream: SessionStream,
	output: ParsedOutput | undefined,
	stdout: Output,
): Promise<void> {
	const destination = output?.destination;
	if (destination === undefined) throw new InvalidParameterError("the daemon sent an output that was not asked for");
	if (destination.kind === "stdout") for await (const bytes of stream.data()) await stdout.writeThrough(bytes);
	else if (destination.kind === "directory") await unpackInto(destination.path, stream.data());
	else await writeFileWhole(destination.path, stream.data());
	await stream.end();
}

async function unpackInto(path: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
	try {
		await mkdir(path, { recursive: true });
	} catch (cause) {
		throw new InvalidParameterError(`failed to make directory ${path}: ${errnoCode(cause)}`, { cause });
	}
	const { unpackArchive } = await import("../container/archive-target.ts");
	await unpackArchive(archive, { directory: path, rename: (name) => name, hasOwners: false });
}

async function writeFileWhole(path: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
	const temporary = `${path}.${process.pid}.tmp`;
	const file = await open(temporary, "w", 0o644).catch((cause: unknown) => {
		throw new InvalidParameterError(`failed to write ${path}: ${errnoCode(cause)}`, { cause });
	});
	try {
		for await (const bytes of archive) await file.writeFile(bytes);
		await file.datasync();
		await file.close();
		await rename(temporary, path);
	} catch (error) {
		await file.close().catch(() => {}); // closed already, or the disk is full: the error at hand says more
		await rm(temporary, { force: true });
		throw error;
	}
}
