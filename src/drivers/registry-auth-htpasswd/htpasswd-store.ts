/**
 * Passwords from a file of `user:bcrypt-hash` lines, as htpasswd -B writes them. The file is read again when it changes. Right
 * answers are remembered for a while, keyed with a random secret: bcrypt is slow on purpose, and a pull asks many times.
 */
import { createHmac, randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import type { Clock } from "../../base/clock.ts";
import { errorMessage, InvalidParameterError, SystemError } from "../../base/errors.ts";
import type { PasswordStore } from "../../core/registry/authenticator.ts";

const REMEMBER_MS = 60_000;
const REMEMBER_LIMIT = 10_000;
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
/** bcrypt's own limit: what is longer would be cut by some programs and hashed first by others. */
const PASSWORD_LIMIT_BYTES = 72;
/** Of a random password nobody knows; makes an unknown user cost what a known one does. */
const NOBODYS_HASH = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

export class HtpasswdStore implements PasswordStore {
	#hashes: ReadonlyMap<string, string> = new Map();
	#version = "";
	readonly #secret = randomBytes(32);
	readonly #remembered = new Map<string, number>();

	private constructor(
		private readonly path: string,
		private readonly clock: Clock,
	) {}

	/** @throws SystemError when the file cannot be read, InvalidParameterError when a line makes no sense */
	static async open(path: string, clock: Clock): Promise<HtpasswdStore> {
		const store = new HtpasswdStore(path, clock);
		await store.#reload();
		return store;
	}

	async verify(user: string, password: string): Promise<boolean> {
		await this.#reload();
		if (Buffer.byteLength(password) > PASSWORD_LIMIT_BYTES || password.includes("\0")) return false;
		const key = createHmac("sha256", this.#secret).update(`${user.length}:${user}:${password}`).digest("base64");
		const untilMs = this.#remembered.get(key);
		if (untilMs !== undefined && untilMs > this.clock.now()) return true;
		const hash = this.#hashes.get(user);
		const isRight = await Bun.password.verify(password === "" ? "\u0001" : password, hash ?? NOBODYS_HASH, "bcrypt");
		if (!isRight || hash === undefined || password === "") return false;
		if (this.#remembered.size >= REMEMBER_LIMIT) this.#remembered.clear();
		this.#remembered.set(key, this.clock.now() + REMEMBER_MS);
		return true;
	}

	async #reload(): Promise<void> {
		try {
			const { mtimeMs, size, ino } = await stat(this.path);
			const version = `${mtimeMs}:${size}:${ino}`;
			if (version === this.#version) return;
			this.#hashes = parseHtpasswd(await readFile(this.path, "utf8"), this.path);
			this.#version = version;
			this.#remembered.clear();
		} catch (cause) {
			if (cause instanceof InvalidParameterError) throw cause;
			throw new SystemError(`cannot read ${this.path}: ${errorMessage(cause)}`, { cause });
		}
	}
}

/** @throws InvalidParameterError that names the line */
export function parseHtpasswd(text: string, path: string): ReadonlyMap<string, string> {
	const hashes = new Map<string, string>();
	for (const [index, line] of text.split("\n").entries()) {
		const entry = line.trim();
		if (entry === "" || entry.startsWith("#")) continue;
		const colon = entry.indexOf(":");
		const hash = entry.slice(colon + 1);
		if (colon < 1 || !BCRYPT.test(hash))
			throw new InvalidParameterError(`${path}, line ${index + 1}: want user:bcrypt-hash (htpasswd -B)`);
		// 2a, 2b and 2y differ in bugs of old programs alone; the library knows the middle one.
		hashes.set(entry.slice(0, colon), `$2b$${hash.slice(4)}`);
	}
	return hashes;
}
