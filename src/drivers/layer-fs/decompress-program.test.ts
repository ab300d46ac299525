import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { InvalidParameterError } from "../../base/errors.ts";
import { type DecompressProgram, decompressedBeginning } from "../linux/decompress-program.ts";
import { decompressed } from "./decompress.ts";

const PROGRAMS: readonly DecompressProgram[] = ["bzip2", "xz"];
const isThere = (program: string) => Bun.which(program) !== null;
const compress = (program: string, data: Uint8Array) => Bun.spawnSync([program, "-c"], { stdin: data }).stdout;

async function* chunks(data: Uint8Array, size: number) {
	for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

async function collected(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
	const parts: Uint8Array[] = [];
	for await (const part of source) parts.push(part);
	return Buffer.concat(parts);
}

describe.each(PROGRAMS.filter(isThere))("%s", (program) => {
	const data = Buffer.concat([randomBytes(3 << 20), Buffer.alloc(3 << 20, "text ")]);
	const packed = compress(program, data);

	test("comes out as it went in, in any pieces", async () => {
		expect((await collected(decompressed(chunks(packed, 1000)))).equals(data)).toBe(true);
		expect((await collected(decompressed(chunks(packed, packed.length)))).equals(data)).toBe(true);
	});

	test("damaged data is the caller's fault", async () => {
		const cut = packed.subarray(0, packed.length - 100);
		await expect(collected(decompressed(chunks(cut, 1 << 16)))).rejects.toThrow(InvalidParameterError);
		const broken = Buffer.from(packed);
		broken.fill(0, 2000, 3000);
		await expect(collected(decompressed(chunks(broken, 1 << 16)))).rejects.toThrow(`invalid ${program} data`);
	});

	test("a failure of the source comes through", async () => {
		const failing = (async function* () {
			yield packed.subarray(0, 100_000);
			throw new Error("the wire is cut");
		})();
		await expect(collected(decompressed(failing))).rejects.toThrow("the wire is cut");
	});

	test("leaving early ends the program, and the source", async () => {
		let isEnded = false;
		const endless = (async function* () {
			try {
				yield packed;
				for (;;) yield packed;
			} finally {
				isEnded = true;
			}
		})();
		for await (const chunk of decompressed(endless)) if (chunk.length > 0) break;
		const children = () => Bun.spawnSync(["ps", "--ppid", String(process.pid), "-o", "comm="]).stdout.toString();
		for (let tries = 0; (!isEnded || children().includes(program)) && tries < 500; tries++) await Bun.sleep(10);
		expect([isEnded, children().includes(program)]).toEqual([true, false]);
	});

	test("the beginning of a file is enough to tell what it is", () => {
		const begun = decompressedBeginning(program, packed.subarray(0, 1 << 20));
		expect(begun?.subarray(0, 512).equals(data.subarray(0, 512))).toBe(true);
	});
});

test("without the program its name is told", () => {
	const script = `
		const { decompressed } = await import(${JSON.stringify(`${import.meta.dir}/decompress.ts`)});
		try {
			for await (const _ of decompressed((async function* () { yield Buffer.from("BZh91AY&SY-----"); })())) {}
		} catch (error) {
			console.log(error.kind, error.message);
		}`;
	const { stdout, stderr } = Bun.spawnSync([process.execPath, "-e", script], { env: { PATH: "/nonexistent" } });
	expect(stderr.toString()).toBe("");
	expect(stdout.toString()).toBe(
		"unavailable archives compressed with bzip2 need the program bzip2, which is not installed on this machine\n",
	);
});
