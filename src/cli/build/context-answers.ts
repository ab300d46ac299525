import { createHash } from "node:crypto";
import { errnoCode, InvalidParameterError } from "../../base/errors.ts";
import type { ContextFilter } from "../../core/build/context-filter.ts";
import type { DaemonCall, FileAnswer, ListAnswer } from "../../core/build/session/calls.ts";
import type { SessionStream } from "../../core/build/session/stream.ts";
import { readContents } from "./context-contents.ts";
import { unreadable, walkContext } from "./context-walk.ts";

/** A directory that the daemon may ask about, by the name it has in the request. */
export interface OfferedDirectory {
	/** Absolute, symlinks resolved. */
	readonly root: string;
}

type ListCall = Extract<DaemonCall, { method: "context.list" }>;
type FileCall = Extract<DaemonCall, { method: "context.file" }>;

/** Answers a `context.list`: the listing, if it is news, and then the contents of what the daemon lacks. */
export async function answerList(
	stream: SessionStream,
	call: ListCall,
	{ root }: OfferedDirectory,
	filter: ContextFilter,
): Promise<void> {
	const { listing, paths } = walkContext(root, filter);
	const digest = createHash("sha256").update(listing).digest("hex");
	const isKnown = digest === call.knownDigest;
	await stream.send({ digest, listingBytes: isKnown ? 0 : listing.length } satisfies ListAnswer);
	if (!isKnown) {
		await stream.write(listing);
		const parts: Uint8Array[] = [];
		for await (const part of stream.data()) parts.push(part);
		const bytes = Buffer.concat(parts);
		const positions = function* () {
			for (let at = 0; at + 4 <= bytes.length; at += 4) yield bytes.readUInt32LE(at);
		};
		for await (const piece of readContents(root, paths, positions())) await stream.write(piece);
	}
	await stream.end();
}

/** Answers a `context.file`. Paths are resolved inside the directory. */
export async function answerFile(stream: SessionStream, call: FileCall, { root }: OfferedDirectory): Promise<void> {
	const { realpath } = await import("node:fs/promises");
	let path: string;
	try {
		path = await realpath(`${root}/${call.path}`);
	} catch (error) {
		if (errnoCode(error) !== "ENOENT" && errnoCode(error) !== "ENOTDIR") throw unreadable(call.path, error);
		await stream.send({ exists: false } satisfies FileAnswer);
		await stream.end();
		return;
	}
	if (path !== root && !path.startsWith(root === "/" ? "/" : `${root}/`))
		throw new InvalidParameterError(`${call.path} is outside of the build context`);
	const file = Bun.file(path);
	if (file.size > call.limitBytes)
		throw new InvalidParameterError(`${call.path} is larger than ${call.limitBytes} bytes`);
	const bytes = await file.bytes().catch((error: unknown) => {
		throw unreadable(call.path, error);
	});
	await stream.send({ exists: true } satisfies FileAnswer);
	await stream.write(bytes);
	await stream.end();
}
