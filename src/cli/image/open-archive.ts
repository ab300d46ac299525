import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { errnoCode, InvalidParameterError } from "../../base/errors.ts";

const CHUNK_BYTES = 1024 * 1024;

/** The bytes of a file. @throws InvalidParameterError when it can't be read */
export async function openArchive(path: string): Promise<AsyncIterable<Uint8Array>> {
	try {
		const file = await open(path, "r");
		await file.close();
	} catch (cause) {
		const code = errnoCode(cause);
		const reason =
			code === "ENOENT" ? "no such file or directory" : code === "EACCES" ? "permission denied" : String(code);
		throw new InvalidParameterError(`open ${path}: ${reason}`, { cause });
	}
	return createReadStream(path, { highWaterMark: CHUNK_BYTES });
}
