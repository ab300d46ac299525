import { read, readSync } from "node:fs";
import { promisify } from "node:util";
import { SystemError } from "../../base/errors.ts";

const SMALL_BYTES = 1 << 16;
const CHUNK_BYTES = 1 << 20;
const readAsync = promisify(read);

/**
 * Exactly `length` bytes of an open file from `offset`. Small files are read at once; big ones piecewise off the main thread.
 * What a file lacks because it was cut meanwhile comes as zeros when `pad`.
 * @throws SystemError when it is shorter
 */
export async function* fileChunks(
	fd: number,
	offset: number,
	length: number,
	options: { readonly pad?: boolean } = {},
): AsyncGenerator<Uint8Array> {
	for (let done = 0; done < length; ) {
		const size = Math.min(length - done, CHUNK_BYTES);
		const buffer = Buffer.allocUnsafe(size);
		const count =
			length <= SMALL_BYTES
				? readSync(fd, buffer, 0, size, offset + done)
				: (await readAsync(fd, buffer, 0, size, offset + done)).bytesRead;
		if (count === 0) {
			if (options.pad !== true) throw new SystemError("unexpected end of file");
			yield Buffer.alloc(size);
			done += size;
			continue;
		}
		yield count === size ? buffer : buffer.subarray(0, count);
		done += count;
	}
}
