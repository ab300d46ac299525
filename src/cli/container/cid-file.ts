import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { errnoCode } from "../../base/errors.ts";

const REASONS: Readonly<Record<string, string>> = {
	ENOENT: "no such file or directory",
	EACCES: "permission denied",
	EEXIST: "file exists",
};

/** @throws Error when the file is there: another container may own it */
export async function checkCidFile(path: string): Promise<void> {
	if (existsSync(path))
		throw new Error(`container ID file found, make sure the other container isn't running or delete ${path}`);
}

/** @throws Error */
export async function writeCidFile(path: string, id: string): Promise<void> {
	try {
		await writeFile(path, id, { flag: "wx" });
	} catch (cause) {
		throw new Error(`failed to create the container ID file: open ${path}: ${reasonOf(cause)}`, { cause });
	}
}

function reasonOf(cause: unknown): string {
	const code = errnoCode(cause) ?? "failed";
	return REASONS[code] ?? code;
}
