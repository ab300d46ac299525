import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { digestHex, sha256FromHex } from "../../base/digest.ts";
import { errnoCode, SystemError } from "../../base/errors.ts";
import type { KeptEntry } from "../../core/build/context-copy.ts";
import { decodeListing, ListingEncoder } from "../../core/build/context-listing.ts";

const FORMAT = 1;
const DIGEST_BYTES = 32;

export interface KeptHeader {
	readonly revision: string;
	readonly listingDigest?: string;
}

interface StoredHeader extends KeptHeader {
	readonly format: number;
	/** The files are not synced to the disk: they count as long as the kernel that has them runs. */
	readonly bootId: string;
	readonly listingBytes: number;
}

/**
 * The file that says what a copy has: a line of JSON, the listing, and a sha256 for each of its entries. It is removed before the copy is
 * changed, so that what is there after a crash always says the truth.
 */
export class KeptListing {
	readonly #bootId = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
	#body: Buffer | undefined;
	#bodyStart = 0;
	#listingBytes = 0;

	constructor(private readonly path: string) {}

	/** Undefined when there is none that can be relied upon. */
	read(): KeptHeader | undefined {
		let bytes: Buffer;
		try {
			bytes = readFileSync(this.path);
		} catch (error) {
			if (errnoCode(error) === "ENOENT") return undefined;
			throw new SystemError(`failed to read the build context's listing: ${this.path}`, { cause: error });
		}
		const lineEnd = bytes.indexOf(10);
		const header = parseHeader(bytes.subarray(0, Math.max(lineEnd, 0)));
		if (header?.format !== FORMAT || header.bootId !== this.#bootId) return undefined;
		this.#body = bytes;
		this.#bodyStart = lineEnd + 1;
		this.#listingBytes = header.listingBytes;
		return header;
	}

	/** The entries of what `read` found. */
	entries(): KeptEntry[] {
		const body = this.#body;
		if (body === undefined) return [];
		this.#body = undefined;
		const digestStart = this.#bodyStart + this.#listingBytes;
		return decodeListing(body.subarray(this.#bodyStart, digestStart)).map((entry, index) => {
			const at = digestStart + index * DIGEST_BYTES;
			const digest = entry.kind === "file" ? sha256FromHex(body.toString("hex", at, at + DIGEST_BYTES)) : undefined;
			return { ...entry, digest };
		});
	}

	write(header: KeptHeader, entries: readonly KeptEntry[]): void {
		const encoder = new ListingEncoder();
		const positions = new Map<string, number>();
		const digests = Buffer.alloc(entries.length * DIGEST_BYTES);
		entries.forEach((entry, index) => {
			const slash = entry.path.lastIndexOf("/");
			const parent = slash < 0 ? 0 : (positions.get(entry.path.slice(0, slash)) ?? 0);
			const position = encoder.add(parent, entry.path.slice(slash + 1), entry);
			if (entry.kind === "directory") positions.set(entry.path, position);
			if (entry.digest !== undefined) digests.write(digestHex(entry.digest), index * DIGEST_BYTES, "hex");
		});
		const listing = encoder.bytes();
		const stored: StoredHeader = {
			...header,
			format: FORMAT,
			bootId: this.#bootId,
			listingBytes: listing.length,
		};
		const temporary = `${this.path}.new`;
		writeFileSync(temporary, Buffer.concat([Buffer.from(`${JSON.stringify(stored)}\n`), listing, digests]));
		renameSync(temporary, this.path);
	}

	remove(): void {
		rmSync(this.path, { force: true });
	}
}

function parseHeader(line: Buffer): StoredHeader | undefined {
	try {
		return JSON.parse(line.toString()) as StoredHeader;
	} catch {
		// A torn file after a power cut: as good as none.
		return undefined;
	}
}
