import { open, rename, rm, stat } from "node:fs/promises";
import { errnoCode } from "../base/errors.ts";
import type { CliContext } from "./context.ts";
import { isTerminal } from "./terminal.ts";

/**
 * Writes a streamed archive to a file, or to standard output unless that is a terminal. A file appears whole or not at all.
 * @throws Error
 */
export async function writeArchive(
	context: CliContext,
	path: string,
	request: () => Promise<AsyncIterable<Uint8Array>>,
): Promise<void> {
	if (path === "") {
		if (isTerminal(1)) throw new Error("cowardly refusing to save to a terminal. Use the -o flag or redirect");
		for await (const bytes of await request()) await context.stdout.writeThrough(bytes);
		return;
	}
	const target = await stat(path).catch(() => undefined);
	if (target?.isDirectory()) throw new Error(`failed to save: ${path} is a directory`);
	// A device or pipe is written as it is.
	const isReplaced = target === undefined || target.isFile();
	const temporary = isReplaced ? `${path}.${process.pid}.tmp` : path;
	const response = await request();
	try {
		await using file = await openFor(temporary, path);
		for await (const bytes of response) await file.writeFile(bytes);
		if (isReplaced) await file.datasync();
	} catch (error) {
		if (isReplaced) await rm(temporary, { force: true });
		throw error;
	}
	if (isReplaced) await rename(temporary, path);
}

async function openFor(temporary: string, path: string) {
	try {
		return await open(temporary, "w", 0o600);
	} catch (cause) {
		throw new Error(`open ${path}: ${errnoCode(cause) === "ENOENT" ? "no such file or directory" : errnoCode(cause)}`, {
			cause,
		});
	}
}
