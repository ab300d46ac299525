/** Both ends of a context's transfer on real files: what the client has is what the daemon's copy has, and no more is sent than changed. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
	appendFileSync,
	chmodSync,
	existsSync,
	linkSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	realpathSync,
	renameSync,
	rmSync,
	symlinkSync,
	truncateSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../../../src/base/digest.ts";
import { answerFile, answerList } from "../../../src/cli/build/context-answers.ts";
import { followLinks } from "../../../src/cli/build/context-links.ts";
import { WHOLE_CONTEXT } from "../../../src/core/build/context-filter.ts";
import type { DaemonCall } from "../../../src/core/build/session/calls.ts";
import { SessionConnection } from "../../../src/core/build/session/connection.ts";
import type { SessionStream } from "../../../src/core/build/session/stream.ts";
import { FsContextCopies } from "../../../src/drivers/build-context-fs/fs-context-copy.ts";
import { SessionDirectory } from "../../../src/engine/build/context-sync.ts";
import { DirectoryContext } from "../../../src/engine/build/kept-context.ts";
import { mustRun } from "../../support/commands.ts";
import { memoryTransports } from "../../support/memory-transport.ts";

const EVERYTHING = { include: ["."], exclude: [] };

let base: string;
let client: string;
let place: string;

beforeEach(() => {
	base = realpathSync(mkdtempSync(join(tmpdir(), "gantry-context-")));
	client = join(base, "client");
	place = join(base, "place");
	mkdirSync(client);
	mkdirSync(place);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

interface Outcome {
	readonly directory: string;
	readonly revision: string | undefined;
	readonly sentBytes: number;
	/** What the client was asked, in order. */
	readonly calls: readonly string[];
	digestOf(path: string): string | undefined;
}

interface SyncOptions {
	readonly root?: string;
	readonly onAsked?: (call: DaemonCall) => void;
	readonly signal?: AbortSignal;
	readonly onProgress?: (bytes: number) => void;
}

/** One build's look at the context. */
async function sync(options: SyncOptions = {}): Promise<Outcome> {
	const root = options.root ?? client;
	const calls: string[] = [];
	const [theirs, ours] = memoryTransports();
	const answer = async (stream: SessionStream) => {
		const call = stream.call as DaemonCall;
		calls.push(call.method);
		options.onAsked?.(call);
		if (call.method === "context.list") await answerList(stream, call, { root }, WHOLE_CONTEXT);
		else if (call.method === "context.file") await answerFile(stream, call, { root });
	};
	const clientSide = new SessionConnection(theirs, "client", answer);
	const daemonSide = new SessionConnection(ours, "daemon", () => Promise.reject(new Error("nobody asks the daemon")));
	const runs = Promise.allSettled([clientSide.run(), daemonSide.run()]);
	const before = ours.receivedBytes;
	const context = directoryContext(daemonSide);
	try {
		await using synced = await context.sync(
			EVERYTHING,
			options.signal ?? new AbortController().signal,
			options.onProgress,
		);
		const { directory, revision } = synced;
		return {
			directory,
			revision,
			sentBytes: ours.receivedBytes - before,
			calls,
			digestOf: (path) => synced.digestOf?.(path),
		};
	} finally {
		clientSide.close();
		await runs;
	}
}

function directoryContext(daemonSide: SessionConnection): DirectoryContext {
	const source = new SessionDirectory(
		{ kind: "directory", name: "context", key: "k", description: "local source for context", files: {} },
		(call) => daemonSide.open(call),
	);
	const places = { acquire: () => ({ directory: place, release: () => {} }) };
	return new DirectoryContext(source, { copies: new FsContextCopies(), places });
}

/** Everything of a tree that a build can see. */
function describeTree(root: string, path = ""): Record<string, string> {
	const tree: Record<string, string> = {};
	for (const name of readdirSync(join(root, path)).sort()) {
		const child = join(path, name);
		const full = join(root, child);
		const status = lstatSync(full, { bigint: true });
		const mode = (status.mode & 0o7777n).toString(8);
		if (status.isSymbolicLink()) tree[child] = `-> ${readlinkSync(full)}`;
		else if (status.isDirectory()) {
			tree[child] = `${mode} ${status.mtimeNs}`;
			Object.assign(tree, describeTree(root, child));
		} else tree[child] = `${mode} ${status.mtimeNs} ${status.isFile() ? sha256(readFileSync(full)) : "node"}`;
	}
	return tree;
}

/** Until no file counts as changed just now: the next look may rely on what this one saw. */
const settle = () => Bun.sleep(60);

function write(path: string, text: string): void {
	mkdirSync(join(client, path, ".."), { recursive: true });
	writeFileSync(join(client, path), text);
}

describe("a build context", () => {
	beforeEach(async () => {
		write("Dockerfile", "FROM scratch\n");
		write("src/main.c", "int main;\n");
		write("src/deep/er/file", "x");
		write("empty", "");
		mkdirSync(join(client, "hollow"));
		writeFileSync(join(base, "secret"), "outside");
		symlinkSync("../../secret", join(client, "src/out"));
		symlinkSync("main.c", join(client, "src/in"));
		chmodSync(join(client, "src/main.c"), 0o4750);
		chmodSync(join(client, "hollow"), 0o1777);
		utimesSync(join(client, "src/deep"), 5, 1_000_000);
		await settle();
	});

	test("is copied with modes, times, links and digests", async () => {
		const { directory, digestOf } = await sync();
		expect(describeTree(directory)).toEqual(describeTree(client));
		expect(digestOf("src/main.c")).toBe(sha256("int main;\n"));
		expect(digestOf("src")).toBeUndefined();
		const owner = lstatSync(join(directory, "Dockerfile"));
		expect([owner.uid, owner.gid]).toEqual([0, 0]);
	});

	test("costs next to nothing when nothing has changed, and says that nothing has", async () => {
		const first = await sync();
		const second = await sync();
		expect(second.sentBytes).toBeLessThan(300);
		expect(second.revision).toBe(first.revision as string);
		expect(second.digestOf("src/main.c")).toBe(sha256("int main;\n"));
	});

	const changes: [string, number, () => void][] = [
		["a file that grew", 200, () => appendFileSync(join(client, "src/main.c"), "// more\n")],
		["a file with as many other bytes and its old time", 200, rewriteInDisguise],
		["new permissions", 200, () => chmodSync(join(client, "src/main.c"), 0o600)],
		["a new file in a new directory", 200, () => write("new/a", "a")],
		["a removed directory", 0, () => rmSync(join(client, "src/deep"), { recursive: true })],
		["a renamed file", 200, () => renameSync(join(client, "empty"), join(client, "src/empty"))],
		[
			"a directory that became a file",
			200,
			() => {
				rmSync(join(client, "src/deep"), { recursive: true });
				write("src/deep", "file");
			},
		],
		[
			"a file that became a directory",
			200,
			() => {
				rmSync(join(client, "empty"));
				write("empty/file", "");
			},
		],
		[
			"a link that points elsewhere",
			0,
			() => {
				rmSync(join(client, "src/in"));
				symlinkSync("deep", join(client, "src/in"));
			},
		],
		[
			"a link that became a file",
			200,
			() => {
				rmSync(join(client, "src/out"));
				write("src/out", "mine");
			},
		],
		["other times of a directory", 0, () => utimesSync(join(client, "hollow"), 7, 7)],
		[
			"everything gone",
			0,
			() => {
				for (const name of readdirSync(client)) rmSync(join(client, name), { recursive: true });
			},
		],
	];
	for (const [what, contentBytes, change] of changes)
		test(`is followed through ${what}, sending that alone`, async () => {
			write("big", "b".repeat(300_000));
			await settle();
			const first = await sync();
			change();
			await settle();
			const { directory, sentBytes, revision } = await sync();
			expect(describeTree(directory)).toEqual(describeTree(client));
			expect(revision).not.toBe(first.revision as string);
			expect(sentBytes).toBeLessThan(1_500 + contentBytes);
			expect((await sync()).sentBytes).toBeLessThan(300);
		});

	function rewriteInDisguise(): void {
		const path = join(client, "src/main.c");
		const { atime, mtime } = lstatSync(path);
		writeFileSync(path, "int niam;\n");
		utimesSync(path, atime, mtime);
	}

	test("is sent anew where a file changed at the very moment it was read", async () => {
		write("hot", "1");
		const first = await sync();
		expect(readFileSync(join(first.directory, "hot"), "utf8")).toBe("1");
		// Within the same tick of the kernel's clock, size and time are no evidence.
		expect((await sync()).sentBytes).toBeGreaterThan(300);
		await settle();
		await sync();
		expect((await sync()).sentBytes).toBeLessThan(300);
	});

	test("that changes while it is sent is an error, or has what the file has in the end", async () => {
		const path = join(client, "moving");
		writeFileSync(path, "a".repeat(3_000_000));
		let cuts = 0;
		const { directory } = await sync({
			onProgress: () => {
				if (cuts++ === 0) truncateSync(path, 1_000_000);
			},
		});
		expect(cuts).toBeGreaterThan(0);
		expect(describeTree(directory)).toEqual(describeTree(client));

		writeFileSync(path, "a".repeat(3_000_000));
		const failing = sync({ onProgress: () => appendFileSync(path, "more") });
		await expect(failing).rejects.toThrow("moving keeps changing while the build context is sent");
		const { directory: after } = await sync();
		expect(describeTree(after)).toEqual(describeTree(client));
	});

	test("that is cancelled half-way goes on from there the next time", async () => {
		write("one", "1".repeat(2_000_000));
		write("two", "2".repeat(2_000_000));
		await settle();
		const abort = new AbortController();
		const cancelled = sync({ signal: abort.signal, onProgress: (bytes) => bytes > 2_500_000 && abort.abort() });
		await expect(cancelled).rejects.toThrow();
		const { directory, sentBytes } = await sync();
		expect(describeTree(directory)).toEqual(describeTree(client));
		expect(sentBytes).toBeLessThan(2_100_000);
	});

	test("is sent whole after a crash in the middle, and after the machine's restart", async () => {
		await sync();
		rmSync(join(place, "listing"));
		writeFileSync(join(place, "tree/half-made"), "");
		const { directory } = await sync();
		expect(describeTree(directory)).toEqual(describeTree(client));
		const listing = readFileSync(join(place, "listing"), "latin1");
		writeFileSync(join(place, "listing"), listing.replace(/"bootId":"[^"]*"/, '"bootId":"of-another-boot"'), "latin1");
		const again = await sync();
		expect(describeTree(again.directory)).toEqual(describeTree(client));
		expect(again.sentBytes).toBeGreaterThan(300);
	});

	test("that is not there is an error that names it", async () => {
		await expect(sync({ root: join(base, "nowhere") })).rejects.toThrow(
			`failed to read the build context: ${join(base, "nowhere")}: no such file or directory`,
		);
	});

	test("gives single files, but none from outside", async () => {
		const [theirs, ours] = memoryTransports();
		const clientSide = new SessionConnection(theirs, "client", (stream) =>
			answerFile(stream, stream.call as never, { root: client }),
		);
		const daemonSide = new SessionConnection(ours, "daemon", () => Promise.reject(new Error("no")));
		const runs = Promise.allSettled([clientSide.run(), daemonSide.run()]);
		const context = directoryContext(daemonSide);
		expect(Buffer.from((await context.readFile("Dockerfile", 100)) ?? []).toString()).toBe("FROM scratch\n");
		expect(await context.readFile("missing", 100)).toBeUndefined();
		expect(await context.readFile("Dockerfile/x", 100)).toBeUndefined();
		await expect(context.readFile("src/out", 100_000)).rejects.toThrow("src/out is outside of the build context");
		await expect(context.readFile("Dockerfile", 3)).rejects.toThrow("larger than 3 bytes");
		clientSide.close();
		await runs;
	});

	test("with a large file passes through bounded memory", async () => {
		const megabyte = Buffer.alloc(1024 * 1024, "gantry");
		for (let count = 0; count < 256; count++) appendFileSync(join(client, "large"), megabyte);
		const before = process.memoryUsage().rss;
		let peak = before;
		const { directory } = await sync({
			onProgress: () => {
				peak = Math.max(peak, process.memoryUsage().rss);
			},
		});
		expect(lstatSync(join(directory, "large")).size).toBe(256 * megabyte.length);
		expect(peak - before).toBeLessThan(128 * 1024 * 1024);
	});
});

test("a context's copy holds nothing but what the listing says after a failed change", async () => {
	writeFileSync(join(client, "a"), "a");
	await settle();
	await sync();
	writeFileSync(join(client, "b"), "b");
	rmSync(join(client, "a"));
	// The daemon asks for the contents of b, which is gone by then.
	const failing = sync({
		onAsked: () => queueMicrotask(() => setImmediate(() => rmSync(join(client, "b"), { force: true }))),
	});
	await failing.catch(() => {});
	const { directory } = await sync();
	expect(existsSync(join(directory, "a"))).toBe(false);
	expect(describeTree(directory)).toEqual(describeTree(client));
});

test("a file of the copy that somebody has linked to keeps its contents there", async () => {
	writeFileSync(join(client, "a"), "before");
	await settle();
	const { directory } = await sync();
	linkSync(join(directory, "a"), join(base, "layer"));
	writeFileSync(join(client, "a"), "after, and longer");
	await settle();
	await sync();
	expect(readFileSync(join(base, "layer"), "utf8")).toBe("before");
	expect(describeTree(directory)).toEqual(describeTree(client));
	writeFileSync(join(client, "a"), "cut");
	await settle();
	await sync();
	expect(describeTree(directory)).toEqual(describeTree(client));
});

test("a full disk is an error that says so, and what has come is kept for the next time", async () => {
	await mustRun(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place]);
	try {
		writeFileSync(join(client, "small"), "s".repeat(1_000_000));
		await settle();
		await sync();
		writeFileSync(join(client, "too-large"), "l".repeat(5_000_000));
		await settle();
		await expect(sync()).rejects.toMatchObject({
			kind: "system",
			message: expect.stringMatching(/failed to keep the build context: .*(no space|ENOSPC)/i),
		});
		writeFileSync(join(client, "too-large"), "fits");
		await settle();
		const { directory, sentBytes } = await sync();
		expect(describeTree(directory)).toEqual(describeTree(client));
		expect(sentBytes).toBeLessThan(2_000);
	} finally {
		await mustRun(["umount", place]);
	}
});

test("followLinks() adds the links on a pattern's way, and where they lead inside of the context", () => {
	mkdirSync(join(client, "real/deep"), { recursive: true });
	symlinkSync("real", join(client, "link"));
	symlinkSync("/real/deep", join(client, "absolute"));
	symlinkSync("../../../../link/deep", join(client, "real/up"));
	symlinkSync("loop", join(client, "loop"));
	symlinkSync("odd[1]", join(client, "to-odd"));
	for (const [pattern, added] of [
		["link/deep/x", ["link", "real/deep/x"]],
		["absolute/*.txt", ["absolute", "real/deep/*.txt"]],
		["real/up/f", ["real/up", "link/deep/f", "link", "real/deep/f"]],
		["re*/y", []],
		["l*/deep/y", []],
		["real/*", ["real/up", "link/deep", "link", "real/deep"]],
		["re[al]l/u?", ["real/up", "link/deep", "link", "real/deep"]],
		["real/\\up", ["link/deep", "link", "real/deep"]],
		["to-*", ["to-odd", "odd\\[1]"]],
		["real", []],
		["link", ["real"]],
		["loop", []],
		["missing/z", []],
	] as const)
		expect(followLinks(client, [pattern])).toEqual([pattern, ...added]);
});
