import type { Digest } from "../../base/digest.ts";

/** Patterns of what is needed, as the .dockerignore has them left; empty: everything. */
export interface ContextSelection {
	/** Paths and wildcards (Go's filepath.Match) relative to the context, without leading slash; `.` for all of it. */
	readonly include: readonly string[];
	/** Patterns of .dockerignore; the last that matches wins, `!` re-includes. */
	readonly exclude: readonly string[];
}

/**
 * A directory on the daemon's disk that holds what was asked for. It does not change until it is released. Nothing in it is trusted:
 * symlinks may lead anywhere and are resolved inside it.
 */
export interface SyncedContext extends AsyncDisposable {
	/** Absolute path of the context's root. */
	readonly directory: string;
	/** Its files stay as they are, even when it is released: they may be linked. */
	readonly isImmutable?: boolean;
	/** Equal revisions of one context hold equal files: what was found out about one holds for the other. Undefined: nothing is known. */
	readonly revision?: string;
	/**
	 * Digest of a file's contents when it is known without reading (sha256). Whoever gets undefined computes it, and tells
	 * `remember`.
	 * @param path relative to the root
	 */
	digestOf?(path: string): Digest | undefined;
}

/** A build context: on the daemon's disk already, or fetched as it is needed. */
export interface BuildContext {
	/** Stands for the same source in later builds: part of cache descriptions, `local` sources keep what was sent by it. */
	readonly key: string;
	/** One file's bytes, undefined when there is none. Bounded. @throws InvalidParameterError when it is too big or leaves the context */
	readFile(path: string, limitBytes: number): Promise<Uint8Array | undefined>;
	/**
	 * Fetches what is selected, at least; may be called several times.
	 * @param onProgress hears how many bytes have been transferred
	 */
	sync(
		selection: ContextSelection,
		signal: AbortSignal,
		onProgress?: (transferredBytes: number) => void,
	): Promise<SyncedContext>;
}
