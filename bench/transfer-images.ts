/**
 * Images for pulls, pushes, saves and loads: made of the files of the machine's own Debian packages, and of many small files. Every
 * round gets a variant of its own (some zeros more behind each layer's end), so that no engine has anything of it already, and no
 * deleting between two rounds disturbs the second.
 */
import { createHash, type Hash } from "node:crypto";
import { createReadStream, existsSync, lstatSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Digest, sha256, sha256FromHex } from "../src/base/digest.ts";
import { writeTar } from "../src/cli/image/bootstrap/entry-tar.ts";
import { tarEntry } from "../src/core/diff/tar-entry.ts";
import { formatTarHeader, TAR_END, tarPadding } from "../src/core/diff/tar-writer.ts";

const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip";
const BLOCK_BYTES = 512;
const SMALL_FILES = 10_000;
const SMALL_FILE_BYTES = 4000;

/** A part of a blob: a file, or bytes. */
export type BlobPart = { readonly path: string } | Uint8Array;

export interface Blob {
	readonly digest: Digest;
	readonly sizeBytes: number;
	readonly parts: readonly BlobPart[];
}

export interface ImageVariant {
	readonly manifest: Uint8Array;
	readonly mediaType: string;
	/** Configuration first, then the compressed layers from the lowest up. */
	readonly blobs: readonly Blob[];
	/** Uncompressed layers. */
	readonly tars: readonly Blob[];
	readonly config: Uint8Array;
}

interface BaseLayer {
	readonly tarPath: string;
	readonly gzipPath: string;
	readonly tarHash: Hash;
	readonly gzipHash: Hash;
}

/** Layers of one image, and their variants. */
export class BenchImage {
	private constructor(
		readonly name: string,
		private readonly layers: readonly BaseLayer[],
	) {}

	/** @param tars paths of the layers' archives, lowest first */
	static async make(name: string, tars: readonly string[]): Promise<BenchImage> {
		const layers: BaseLayer[] = [];
		for (const tarPath of tars) {
			const gzipPath = `${tarPath}.gz`;
			if (!existsSync(gzipPath)) await run("gzip", "--keep", "--no-name", tarPath);
			layers.push({ tarPath, gzipPath, tarHash: await hashOf(tarPath), gzipHash: await hashOf(gzipPath) });
		}
		return new BenchImage(name, layers);
	}

	/** @param number from 0; the same number gives the same bytes */
	variant(number: number): ImageVariant {
		const zeros = Buffer.alloc(number * BLOCK_BYTES);
		const tail = gzipSync(zeros);
		const tars = this.layers.map(({ tarPath, tarHash }) => joined(tarPath, tarHash, zeros));
		const compressed = this.layers.map(({ gzipPath, gzipHash }) => joined(gzipPath, gzipHash, tail));
		const config = Buffer.from(
			JSON.stringify({
				architecture: process.arch === "arm64" ? "arm64" : "amd64",
				os: "linux",
				config: { Cmd: ["/bin/true"] },
				rootfs: { type: "layers", diff_ids: tars.map(({ digest }) => digest) },
				history: tars.map((_, index) => ({ created: "1970-01-01T00:00:00Z", created_by: `${this.name} ${index}` })),
			}),
		);
		const manifest = {
			schemaVersion: 2,
			mediaType: MANIFEST_TYPE,
			config: { mediaType: CONFIG_TYPE, digest: sha256(config), size: config.length },
			layers: compressed.map(({ digest, sizeBytes }) => ({ mediaType: LAYER_TYPE, digest, size: sizeBytes })),
		};
		const configBlob = { digest: sha256(config), sizeBytes: config.length, parts: [config] };
		return {
			manifest: Buffer.from(JSON.stringify(manifest)),
			mediaType: MANIFEST_TYPE,
			blobs: [configBlob, ...compressed],
			tars,
			config,
		};
	}
}

/** The variant as `docker save` would write it, under this name, for `docker load`. */
export async function writeArchive(variant: ImageVariant, reference: string, path: string): Promise<void> {
	const layers = variant.tars.map((_, index) => `layer-${index}.tar`);
	const manifest = [{ Config: "config.json", RepoTags: [reference], Layers: layers }];
	const files: readonly (readonly [string, number, readonly BlobPart[]])[] = [
		["config.json", variant.config.length, [variant.config]],
		...variant.tars.map(({ sizeBytes, parts }, index) => [layers[index] ?? "", sizeBytes, parts] as const),
	];
	const manifestBytes = Buffer.from(JSON.stringify(manifest));
	const sink = Bun.file(path).writer();
	const member = async (name: string, sizeBytes: number, parts: readonly BlobPart[]) => {
		sink.write(formatTarHeader(tarEntry({ name, type: "file", sizeBytes })));
		for await (const chunk of partChunks(parts)) {
			sink.write(chunk);
			await sink.flush();
		}
		sink.write(tarPadding(sizeBytes));
	};
	for (const [name, sizeBytes, parts] of files) await member(name, sizeBytes, parts);
	await member("manifest.json", manifestBytes.length, [manifestBytes]);
	sink.write(TAR_END);
	await sink.end();
}

export async function* partChunks(parts: readonly BlobPart[]): AsyncGenerator<Uint8Array> {
	for (const part of parts)
		if (part instanceof Uint8Array) yield part;
		else yield* createReadStream(part.path, { highWaterMark: 1 << 20 });
}

/**
 * Archives of package files, as many as `sizes` says and of about so many bytes each: packages that every Debian has come first.
 * @throws Error when the machine has not enough of them
 */
export async function packageTars(directory: string, sizes: readonly number[]): Promise<string[]> {
	mkdirSync(directory, { recursive: true });
	const files = packageFiles();
	const tars: string[] = [];
	let position = 0;
	for (const [index, wantedBytes] of sizes.entries()) {
		const names: string[] = [];
		for (let bytes = 0; bytes < wantedBytes; position++) {
			const file = files[position];
			if (file === undefined) throw new Error("The machine's packages are not enough for the benchmark's images");
			names.push(file.name.slice(1));
			bytes += file.sizeBytes;
		}
		const list = join(directory, `layer-${index}.list`);
		const tar = join(directory, `layer-${index}.tar`);
		writeFileSync(list, names.join("\0"));
		await run("tar", "--create", "--file", tar, "-C", "/", "--no-recursion", "--null", "--files-from", list);
		tars.push(tar);
	}
	return tars;
}

/** One archive of many small files, of texts that compress like texts. */
export function smallFilesTar(directory: string): string {
	mkdirSync(directory, { recursive: true });
	const path = join(directory, "small.tar");
	const text = Buffer.from(
		packageFiles(500)
			.map(({ name }) => name)
			.join("\n")
			.repeat(2),
	);
	const entries = Array.from({ length: SMALL_FILES }, (_, index) => {
		const start = (index * 7919) % Math.max(1, text.length - SMALL_FILE_BYTES);
		const content = Buffer.from(
			`${index}\n${text.toString("latin1", start, start + (index % SMALL_FILE_BYTES))}`,
			"latin1",
		);
		return { kind: "file", path: `small/${index % 100}/${index}`, mode: 0o644, content } as const;
	});
	const directories = Array.from({ length: 100 }, (_, index) => {
		return { kind: "directory", path: `small/${index}`, mode: 0o755 } as const;
	});
	writeFileSync(path, writeTar([...directories, ...entries], 0));
	return path;
}

const PRIORITIES = ["required", "important", "standard", "optional"];

function packageFiles(limit = Number.POSITIVE_INFINITY): { readonly name: string; readonly sizeBytes: number }[] {
	const query = Bun.spawnSync(["dpkg-query", "-W", "-f", "${Priority} ${binary:Package}\\n"]);
	const packages = query.stdout
		.toString()
		.split("\n")
		.flatMap((line) => {
			const [priority = "", name] = line.split(" ");
			return name === undefined ? [] : [{ rank: PRIORITIES.indexOf(priority), name }];
		})
		.sort((a, b) => a.rank - b.rank || (a.name < b.name ? -1 : 1));
	const seen = new Set<string>();
	const files: { name: string; sizeBytes: number }[] = [];
	for (const { name } of packages) {
		for (const path of filesOf(name)) {
			if (seen.has(path) || !path.startsWith("/usr/")) continue;
			seen.add(path);
			const status = lstatSync(path, { throwIfNoEntry: false });
			if (status === undefined || !(status.isFile() || status.isSymbolicLink() || status.isDirectory())) continue;
			files.push({ name: path, sizeBytes: status.isFile() ? status.size : 0 });
			if (files.length >= limit) return files;
		}
	}
	return files;
}

function filesOf(name: string): string[] {
	const lists = [name, name.replace(/:.*/, "")].map((each) => `/var/lib/dpkg/info/${each}.list`);
	const list = lists.find((path) => existsSync(path));
	return list === undefined ? [] : readFileSync(list, "utf8").split("\n");
}

function joined(path: string, hash: Hash, tail: Uint8Array): Blob {
	const digest = sha256FromHex(hash.copy().update(tail).digest("hex"));
	return { digest, sizeBytes: statSync(path).size + tail.length, parts: [{ path }, tail] };
}

async function hashOf(path: string): Promise<Hash> {
	const hash = createHash("sha256");
	for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
	return hash;
}

async function run(...argv: string[]): Promise<void> {
	const child = Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
	const [code, stderr] = await Promise.all([child.exited, child.stderr.text()]);
	if (code !== 0) throw new Error(`${argv.join(" ")} ended with code ${code}: ${stderr.trim()}`);
}
