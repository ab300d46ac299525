import { type Digest, sha256 } from "../../base/digest.ts";
import { KeyedMutex } from "../../base/keyed-mutex.ts";
import type { BuildFiles, FileSelection } from "../../core/build/build-directories.ts";
import type { ResolvedMount } from "../../core/build/plan/build-plan.ts";
import type { BuildCache } from "./build-cache.ts";

/** One cache mount of a step. */
export interface CacheMount {
	readonly mount: ResolvedMount["mount"];
	/** Where it is in the step. */
	readonly place: string;
	/** Of what it begins with a copy of, and how to get at that. */
	readonly chain: Digest | undefined;
	readonly tree: (() => Promise<Pick<FileSelection, "root" | "ignore" | "knownDigest">>) | undefined;
}

const MODE = 0o755;

/** Directories that steps keep for later ones, shared between all builds of the daemon. */
export class CacheMounts {
	readonly #cache: BuildCache;
	readonly #files: BuildFiles;
	readonly #locks = new KeyedMutex();
	readonly #privateInUse = new Set<string>();

	constructor({ cache, files }: { readonly cache: BuildCache; readonly files: BuildFiles }) {
		this.#cache = cache;
		this.#files = files;
	}

	/**
	 * The directories of one step's mounts, in their order, which are its own or everybody's until the stack is disposed.
	 * Locks are taken in one order, so that no two steps wait for each other.
	 */
	async open(wanted: readonly CacheMount[], stack: AsyncDisposableStack, signal: AbortSignal): Promise<string[]> {
		const own = new Map<Digest, Digest>();
		const keys = wanted.map((one) => {
			const { id, sharing } = one.mount;
			const base = sha256(JSON.stringify(["cache-mount", id ?? one.place, one.chain ?? ""]));
			if (sharing !== "private") return base;
			const key = own.get(base) ?? this.#privateKey(base, stack);
			own.set(base, key);
			return key;
		});
		const locked = new Set(keys.filter((_, index) => wanted[index]?.mount.sharing === "locked"));
		for (const key of [...locked].sort()) await this.#lock(key, stack, signal);
		const directories: string[] = [];
		for (const [index, one] of wanted.entries())
			directories.push(await this.#directory(keys[index] as Digest, one, stack));
		return directories;
	}

	async #directory(key: Digest, { mount, place, tree }: CacheMount, stack: AsyncDisposableStack): Promise<string> {
		const lease = this.#cache.lease();
		stack.use(lease);
		const description = `cached mount ${place} from exec ${mount.id ?? place}`;
		const record = this.#cache.directory(key, "exec.cachemount", description, lease);
		stack.defer(() => this.#cache.measure(record.id));
		await this.#locks.run(`first ${record.id}`, () =>
			this.#files.makeWhole(record.path, "fs", async (draft) => {
				if (tree === undefined) {
					this.#files.makeDirectory(record.path, `/${draft}`, { uid: mount.uid ?? 0, gid: mount.gid ?? 0 });
					this.#files.changeMode(record.path, `/${draft}`, mount.mode ?? MODE);
					return;
				}
				const selection = { ...(await tree()), sources: [mount.source ?? "."], exclude: [], parents: false };
				const asItIs = { owner: undefined, chmod: undefined, unpack: undefined };
				await this.#files.copy(selection, { root: record.path }, `/${draft}`, asItIs);
			}),
		);
		return `${record.path}/fs`;
	}

	/** The first one that no other step has now. */
	#privateKey(base: Digest, stack: AsyncDisposableStack): Digest {
		for (let number = 0; ; number++) {
			const key = number === 0 ? base : sha256(`${base} ${number}`);
			if (this.#privateInUse.has(key)) continue;
			this.#privateInUse.add(key);
			stack.defer(() => void this.#privateInUse.delete(key));
			return key;
		}
	}

	/** @throws the signal's reason when nobody wants it any more; its turn passes by then */
	async #lock(key: Digest, stack: AsyncDisposableStack, signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		const { promise: held, resolve: release } = Promise.withResolvers<void>();
		const { promise: acquired, resolve: taken, reject } = Promise.withResolvers<void>();
		const giveUp = () => reject(signal.reason);
		signal.addEventListener("abort", giveUp, { once: true });
		void this.#locks.run(key, async () => {
			taken();
			await held;
		});
		stack.defer(release);
		try {
			await acquired;
		} finally {
			signal.removeEventListener("abort", giveUp);
		}
	}
}
