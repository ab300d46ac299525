import { type BigIntStats, closeSync, constants, fstatSync, openSync, read, readSync } from "node:fs";
import { promisify } from "node:util";
import { InvalidParameterError } from "../../base/errors.ts";
import {
	CONTENT_HEAD_BYTES,
	CONTENT_VERDICTS,
	type ContentVerdict,
	writeContentHead,
} from "../../core/build/context-contents.ts";
import { unreadable } from "./context-walk.ts";

const BUFFER_BYTES = 256 * 1024;
const ATTEMPTS = 3;
/** Two changes within this time may leave the same time of change: the kernel's clock for them ticks every 1 to 10 ms. */
const CLOCK_TICK_NS = 50_000_000n;
/** Of file systems that keep whole seconds, or two. */
const COARSE_TICK_NS = 2_100_000_000n;

const readAsync = promisify(read);

/**
 * The contents of some files of a listing as `core/build/context-contents.ts` has them. What is given is valid until the next is asked for.
 * @throws InvalidParameterError for a file that is gone, can't be read, or changes again and again
 */
export async function* readContents(
	root: string,
	paths: readonly string[],
	positions: Iterable<number>,
): AsyncGenerator<Uint8Array> {
	const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
	let used = 0;
	for (const position of positions) {
		const path = paths[position];
		if (path === undefined) throw new InvalidParameterError("the daemon asked for a file that was not listed");
		for (let attempt = 1; ; attempt++) {
			const fd = open(root, path);
			try {
				const status = fstatSync(fd, { bigint: true });
				if (!status.isFile()) throw new InvalidParameterError(`${path} changed while the build context was sent`);
				const size = Number(status.size);
				if (used + CONTENT_HEAD_BYTES > BUFFER_BYTES) {
					yield buffer.subarray(0, used);
					used = 0;
				}
				used = writeContentHead(buffer, used, headOf(position, status));
				let rest = size;
				while (rest > 0) {
					if (used === BUFFER_BYTES) {
						yield buffer.subarray(0, used);
						used = 0;
					}
					const most = Math.min(rest, BUFFER_BYTES - used);
					// A large file may have to come from a slow disk: the display goes on meanwhile.
					const count =
						size > BUFFER_BYTES
							? (await readAsync(fd, buffer, used, most, null)).bytesRead
							: readSync(fd, buffer, used, most, null);
					// Cut since it was opened; the rest of what was announced is zeros, and the verdict says not to use them.
					if (count === 0) buffer.fill(0, used, used + most);
					const step = count === 0 ? most : count;
					used += step;
					rest -= step;
				}
				if (used === BUFFER_BYTES) {
					yield buffer.subarray(0, used);
					used = 0;
				}
				const verdict = verdictOn(status, fstatSync(fd, { bigint: true }));
				buffer[used++] = CONTENT_VERDICTS.indexOf(verdict);
				if (verdict !== "changed") break;
			} catch (error) {
				throw error instanceof InvalidParameterError ? error : unreadable(path, error);
			} finally {
				closeSync(fd);
			}
			if (attempt === ATTEMPTS)
				throw new InvalidParameterError(`${path} keeps changing while the build context is sent`);
		}
	}
	if (used > 0) yield buffer.subarray(0, used);
}

function open(root: string, path: string): number {
	try {
		return openSync(`${root}/${path}`, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
	} catch (cause) {
		throw unreadable(path, cause);
	}
}

function headOf(position: number, status: BigIntStats) {
	return {
		position,
		permissions: Number(status.mode & 0o7777n),
		sizeBytes: Number(status.size),
		modifiedNs: status.mtimeNs,
		changedNs: status.ctimeNs,
		inode: status.ino,
	};
}

function verdictOn(before: BigIntStats, after: BigIntStats): ContentVerdict {
	if (before.size !== after.size || before.mtimeNs !== after.mtimeNs || before.ctimeNs !== after.ctimeNs)
		return "changed";
	const tick = after.ctimeNs % 1_000_000_000n === 0n ? COARSE_TICK_NS : CLOCK_TICK_NS;
	return BigInt(Date.now()) * 1_000_000n - after.ctimeNs < tick ? "recent" : "whole";
}
