/**
 * What the two sides of a build session ask each other, by the JSON that opens a stream. The client opens one stream, `build`, with
 * everything else in it that is plain data; the daemon opens one for each question.
 */
import type { RegistryCredentials } from "../../remotes/remote.ts";

export type DaemonCall =
	/** Answer: `FileAnswer`, then the bytes. */
	| { readonly method: "context.file"; readonly context: string; readonly path: string; readonly limitBytes: number }
	/**
	 * Answer: `ListAnswer`, then the listing unless it is the one of `knownDigest`. Afterwards the daemon may ask on the same stream, once, for
	 * contents: data of u32 little-endian positions in the listing up to its end; answer: data as in `context-contents.ts`.
	 */
	| {
			readonly method: "context.list";
			readonly context: string;
			readonly include: readonly string[];
			readonly exclude: readonly string[];
			readonly knownDigest: string;
	  }
	/** Answer: data, the archive of a context of kind `tar`. Asked once for each. */
	| { readonly method: "context.tar"; readonly context: string }
	/** Answer: `SecretAnswer`, then the bytes. */
	| { readonly method: "secret"; readonly id: string }
	/** Answer: `boolean`. */
	| { readonly method: "ssh.has"; readonly id: string }
	/** Data both ways. */
	| { readonly method: "ssh.open"; readonly id: string }
	/** Answer: `RegistryCredentials` or null. */
	| { readonly method: "credentials"; readonly host: string }
	/** Data from the daemon; the client ends its side when all of it lies where it belongs. */
	| { readonly method: "output"; readonly index: number };

export interface FileAnswer {
	readonly exists: boolean;
}

export interface ListAnswer {
	/** sha256 of the listing, in hex. */
	readonly digest: string;
	/** Of the listing that follows; 0 when it is known. */
	readonly listingBytes: number;
}

export interface SecretAnswer {
	readonly exists: boolean;
}

export type CredentialsAnswer = RegistryCredentials | null;

/** Secrets and single files: nobody needs more. */
export const MAX_SECRET_BYTES = 500 * 1024;
